/** What is known over time: the history of the daemon, and what came since. Pure but for what it holds. */
import type { HistoryAnswer } from '../src/daemon/dashboard/feed-protocol.ts'
import type { Sample, SampleField } from '../src/daemon/dashboard/sample.ts'

export type Row = Readonly<Record<string, number | null>>

export class Series {
  #rows: readonly Row[] = []

  get rows(): readonly Row[] {
    return this.#rows
  }

  replace({ names, rows }: HistoryAnswer): void {
    this.#rows = rows.map((row) =>
      Object.fromEntries(names.map((name, at) => [name, row[at] ?? null])),
    )
  }

  /** Adds one; what is older than the span goes. */
  add(sample: Sample, spanMs: number): void {
    const kept = this.#rows.filter((row) => (row['atMs'] ?? 0) > sample.atMs - spanMs)
    this.#rows = [...kept, sample]
  }

  /** Seconds, as plots want them. */
  times(): number[] {
    return this.#rows.map((row) => (row['atMs'] ?? 0) / 1000)
  }

  values(name: SampleField, scale: number): (number | null)[] {
    return this.#rows.map((row) => {
      const value = row[name] ?? null
      return value === null ? null : value * scale
    })
  }

  /** When the engine was started again: where the count of restarts changed (a new daemon counts from 0). Seconds. */
  restarts(): readonly number[] {
    return this.#rows.flatMap((row, index) => {
      const before = this.#rows[index - 1]?.['restarts'] ?? null
      const now = row['restarts'] ?? null
      return before !== null && now !== null && now !== before ? [(row['atMs'] ?? 0) / 1000] : []
    })
  }
}
