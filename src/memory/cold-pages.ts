/** How much of a process is not in memory as it stands: the first answer after a pause has to bring it back. */
import { parseFootprint } from './darwin/footprint.ts'
import { sizeInBytes, wholeLines } from './lines.ts'
import { kibLine } from './linux/meminfo.ts'
import type { SystemDoors } from './platform-memory.ts'

export interface ColdPages {
  readonly totalBytes: number
  /** Of that, compressed or in swap. */
  readonly coldBytes: number
}

/** It looks at each region of the process. */
const deadlineMs = 10_000

/** null when it is not told, or there is no such process. Never rejects. */
export async function readColdPages(
  pid: number,
  platform: NodeJS.Platform,
  { runTool, readText }: Pick<SystemDoors, 'runTool' | 'readText'>,
): Promise<ColdPages | null> {
  if (platform !== 'darwin') {
    return parseStatusPages(await readText(`/proc/${pid}/status`).catch(() => ''))
  }
  const args = ['--swapped', '-p', String(pid)]
  const result = await runTool('footprint', args, { deadlineMs })
  return result.kind === 'ended' ? parseFootprintPages(result.stdout) : null
}

/** The `(Swapped)` column of `footprint --swapped`, which counts what is compressed too. Pure. */
export function parseFootprintPages(text: string): ColdPages | null {
  const found = parseFootprint(text)
  const lines = wholeLines(text)
  const column = /^\s*Dirty\s+\(Swapped\)/.test(lines.find((line) => /Dirty/.test(line)) ?? '')
  const total = lines.find((line) => /\sTOTAL$/.test(line))?.trim()
  const [, cold] = total?.split(/ {2,}/) ?? []
  const coldBytes = sizeInBytes(cold ?? '')
  if (found === null || !column || coldBytes === null) return null
  return { totalBytes: found.footprintBytes, coldBytes }
}

/** `/proc/PID/status`. Pure. */
export function parseStatusPages(text: string): ColdPages | null {
  const residentBytes = kibLine(text, 'VmRSS')
  const coldBytes = kibLine(text, 'VmSwap')
  if (residentBytes === null || coldBytes === null) return null
  return { totalBytes: residentBytes + coldBytes, coldBytes }
}
