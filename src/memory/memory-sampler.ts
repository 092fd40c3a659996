/** Reads the memory of the machine, the GPU and the engine, each part at its own pace, and keeps the latest reading. */
import { type Clock, systemClock } from '../clock.ts'
import { withinTime } from '../process-tree.ts'
import { knownOr, toReading } from './answer.ts'
import { createDarwinMemory } from './darwin/darwin-memory.ts'
import { createLinuxMemory } from './linux/linux-memory.ts'
import type { MemoryReading } from './memory-reading.ts'
import {
  type PlatformMemory,
  type PlatformOptions,
  type SystemDoors,
  systemDoors,
} from './platform-memory.ts'

export interface MemorySampler {
  /** null before the first. */
  latest(): MemoryReading | null
  /**
   * Asks for all that is due. What takes longer than `patienceMs` goes on being asked and is in a later reading; until
   * then its last value stands. Never rejects.
   */
  sample(patienceMs?: number): Promise<MemoryReading>
  /** Every 2 s until the signal aborts; resolves when no tool runs any more. Nothing is asked after that. */
  run(signal: AbortSignal): Promise<void>
}

export interface SamplerOptions {
  readonly platform: NodeJS.Platform
  readonly clock?: Clock
  /** null when none runs. */
  readonly enginePid: () => number | null
  /** null when none is known. */
  readonly engineFile: () => string | null
  /** A folder on the disk that holds the swap file; on a Mac any on the system's own, for they share their space. */
  readonly diskPath: string
  readonly onReading?: (reading: MemoryReading) => void
  readonly doors?: SystemDoors
}

const everyMs = 2000
/** Longer than the tools take by far, and short beside the pace. */
const usualPatienceMs = 1000

export function createMemorySampler(options: SamplerOptions): MemorySampler {
  const { clock = systemClock, onReading } = options
  const memory = createPlatformMemory(options, clock)
  let latest: MemoryReading | null = null
  const sample = async (patienceMs = usualPatienceMs): Promise<MemoryReading> => {
    await withinTime(refresh(memory), patienceMs, clock)
    latest = toReading(clock.monotonicMs(), memory.answers())
    onReading?.(latest)
    return latest
  }
  return {
    latest: () => latest,
    sample,
    run: async (signal) => {
      while (!signal.aborted) {
        await sample()
        await clock.sleep(everyMs, signal).catch(() => undefined)
      }
      await Promise.all(memory.sources.map((source) => source.close()))
    },
  }
}

/** Twice: what some have found tells others that there is something to ask. */
async function refresh({ sources }: PlatformMemory): Promise<void> {
  await Promise.all(sources.map((source) => source.refresh()))
  await Promise.all(sources.map((source) => source.refresh()))
}

function createPlatformMemory(options: SamplerOptions, clock: Clock): PlatformMemory {
  const { platform, enginePid, engineFile, diskPath } = options
  const platformOptions: PlatformOptions = {
    clock,
    diskPath,
    doors: options.doors ?? systemDoors(platform),
    enginePid: () => knownOr(enginePid()?.toString(), 'no engine runs'),
    engineFile: () => knownOr(engineFile(), 'no llama-server is known'),
  }
  // package.json names the systems; on others the files of Linux are missing, and every value is unknown with a reason.
  return platform === 'darwin'
    ? createDarwinMemory(platformOptions)
    : createLinuxMemory(platformOptions)
}
