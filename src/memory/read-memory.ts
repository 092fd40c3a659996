/** One reading of the machine's memory and of the engine's, in bytes. Unknown is null. */
import { readFile } from 'node:fs/promises'
import { totalmem } from 'node:os'
import { mem } from 'systeminformation'

export interface MemoryReading {
  readonly totalBytes: number
  /** What could be used without swapping. */
  readonly availableBytes: number | null
  /** What the engine's process takes: its fair share of shared pages, swapped pages too. */
  readonly footprintBytes: number | null
}

/** `enginePid` null = no engine runs. Never throws. */
export async function readMemory(enginePid: number | null): Promise<MemoryReading> {
  // On macOS systeminformation counts pages as available that are not, and a process's RSS leaves the GPU out.
  if (process.platform !== 'linux') {
    return { totalBytes: totalmem(), availableBytes: null, footprintBytes: null }
  }
  const [availableBytes, footprintBytes] = await Promise.all([
    readAvailable(),
    enginePid === null ? null : readFootprint(enginePid),
  ])
  return { totalBytes: totalmem(), availableBytes, footprintBytes }
}

async function readAvailable(): Promise<number | null> {
  const { available } = await mem()
  return available > 0 ? available : null
}

async function readFootprint(pid: number): Promise<number | null> {
  try {
    return parseFootprint(await readFile(`/proc/${pid}/smaps_rollup`, 'utf8'))
  } catch {
    // It has just ended, or the kernel lets nobody look.
    return null
  }
}

/** Pss and SwapPss of a `smaps_rollup` text in bytes; null when Pss is not told. Pure. */
export function parseFootprint(rollup: string): number | null {
  const kib = (name: string): number | null => {
    const value = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(rollup)?.[1]
    return value === undefined ? null : Number(value)
  }
  const pss = kib('Pss')
  return pss === null ? null : (pss + (kib('SwapPss') ?? 0)) * 1024
}
