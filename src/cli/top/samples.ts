/** Samples of the past as the columns of a plot. Pure. */
import type { HistoryAnswer } from '../../daemon/dashboard/feed-protocol.ts'
import {
  SAMPLE_FIELDS,
  type Sample,
  type SampleField,
  sampleFrom,
} from '../../daemon/dashboard/sample.ts'

/** One column of a plot: as often as the daemon keeps one. */
export const STEP_MS = 10_000

/** Oldest first. What the daemon does not know (by its version) is unknown. */
export function samplesOf({ names, rows }: HistoryAnswer): readonly Sample[] {
  const at = names.indexOf('atMs')
  const places = new Map(SAMPLE_FIELDS.map((name) => [name, names.indexOf(name)]))
  return rows.flatMap((row) => {
    const atMs = row[at]
    if (typeof atMs !== 'number') return []
    return [sampleFrom(atMs, (name) => row[places.get(name) ?? -1] ?? null)]
  })
}

/** The mean of each of the last `columns` steps, the present one last; null where nothing is known. */
export function series(
  samples: readonly Sample[],
  name: SampleField,
  columns: number,
  nowMs: number,
): readonly (number | null)[] {
  const last = Math.floor(nowMs / STEP_MS)
  const sums = Array.from({ length: columns }, () => ({ sum: 0, count: 0 }))
  for (const sample of samples) {
    const cell = sums[columns - 1 - (last - Math.floor(sample.atMs / STEP_MS))]
    const value = sample[name]
    if (cell === undefined || value === null) continue
    cell.sum += value
    cell.count += 1
  }
  return sums.map(({ sum, count }) => (count === 0 ? null : sum / count))
}
