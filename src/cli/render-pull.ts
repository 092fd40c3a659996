/** The progress of a download as a line for a person or for a program. Pure. */
import type { PullProgress } from '../model/pull.ts'
import { formatBytes, formatDuration } from '../units.ts'

/** `downloading 1.2 GiB of 11.3 GiB, 24.0 MiB/s, 7 min 12 s left`. */
export function pullText(progress: PullProgress): string {
  const { phase, bytes, totalBytes, bytesPerSecond } = progress
  const amount = `${phase} ${formatBytes(bytes)} of ${formatBytes(totalBytes)}`
  const leftMs = msLeft(progress)
  if (leftMs === null) return amount
  return `${amount}, ${formatBytes(bytesPerSecond)}/s, ${formatDuration(leftMs)} left`
}

/** One line of `--json`. */
export function pullJson(progress: PullProgress): string {
  const { phase, bytes, totalBytes, bytesPerSecond } = progress
  const leftMs = msLeft(progress)
  return JSON.stringify({
    event: phase,
    bytes,
    totalBytes,
    bytesPerSecond: leftMs === null ? null : Math.round(bytesPerSecond),
    secondsLeft: leftMs === null ? null : Math.ceil(leftMs / 1000),
  })
}

function msLeft({ bytes, totalBytes, bytesPerSecond }: PullProgress): number | null {
  return bytesPerSecond > 0 ? ((totalBytes - bytes) / bytesPerSecond) * 1000 : null
}
