/** What `footprint -p PID` prints: what a process takes as the kernel counts it, the compressed and swapped too. Pure. */
import { sizeInBytes, wholeLines, wholeNumber } from '../lines.ts'

export interface Footprint {
  readonly pid: number
  readonly footprintBytes: number
  readonly peakBytes: number | null
}

/** null when it tells of no process, or of no footprint. The table between has other columns on each system. */
export function parseFootprint(text: string): Footprint | null {
  const lines = wholeLines(text)
  const pid = lines
    .map((line) => wholeNumber(/ \[(\d+)\]: .*\bFootprint: /.exec(line)?.[1]))
    .find((found) => found !== null)
  const footprintBytes = sizeOf(lines, 'phys_footprint')
  if (pid === undefined || pid === null || footprintBytes === null) return null
  return { pid, footprintBytes, peakBytes: sizeOf(lines, 'phys_footprint_peak') }
}

function sizeOf(lines: readonly string[], name: string): number | null {
  const line = lines.map((text) => text.trim()).find((text) => text.startsWith(`${name}: `))
  return line === undefined ? null : sizeInBytes(line.slice(name.length + 2))
}
