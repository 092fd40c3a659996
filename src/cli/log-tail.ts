/** The last lines of several logs, in the order of time. */
import type { LogEntry } from './log-entry.ts'
import type { LogSource } from './log-source.ts'

interface Placed {
  readonly entry: LogEntry
  /** Where it stands among the lines of other logs. */
  readonly atMs: number
}

/** A dump without any time must not be read to its beginning before its last line is shown. */
const LONGEST_UNTIMED_RUN = 1000

/** The last `count` lines together, oldest first. Lines of one log stay in its order, whatever their times say. */
export async function lastEntries(
  sources: readonly Pick<LogSource, 'backwards' | 'endAtMs'>[],
  count: number,
): Promise<readonly LogEntry[]> {
  const readers = sources.map((source) => placedBackwards(source.backwards(), source.endAtMs))
  const found: LogEntry[] = []
  try {
    const heads = count === 0 ? [] : await Promise.all(readers.map(next))
    while (found.length < count) {
      const newest = newestOf(heads)
      const reader = readers[newest]
      const head = heads[newest]
      if (reader === undefined || head == null) break
      found.push(head.entry)
      heads[newest] = await next(reader)
    }
  } finally {
    await Promise.all(readers.map((reader) => reader.return(undefined)))
  }
  return found.toReversed()
}

/** A line without a time (of a stack trace, say) belongs to the one that it came after. */
async function* placedBackwards(
  entries: AsyncGenerator<LogEntry>,
  endAtMs: number,
): AsyncGenerator<Placed> {
  let newerAtMs = endAtMs
  let untimed: LogEntry[] = []
  for await (const entry of entries) {
    if (entry.atMs === null && untimed.length < LONGEST_UNTIMED_RUN) {
      untimed.push(entry)
      continue
    }
    const atMs = entry.atMs ?? newerAtMs
    yield* placeAll(untimed, atMs)
    yield { entry, atMs }
    untimed = []
    newerAtMs = atMs
  }
  // Before the first line with a time: all that is known is that it was not later.
  yield* placeAll(untimed, newerAtMs)
}

function placeAll(entries: readonly LogEntry[], atMs: number): readonly Placed[] {
  return entries.map((entry) => ({ entry, atMs }))
}

/** The place of the newest one, or -1. */
function newestOf(heads: readonly (Placed | null)[]): number {
  let best = -1
  let bestAtMs = -Infinity
  for (const [index, head] of heads.entries()) {
    if (head === null) continue
    if (best === -1 || head.atMs > bestAtMs) {
      best = index
      bestAtMs = head.atMs
    }
  }
  return best
}

async function next(reader: AsyncGenerator<Placed>): Promise<Placed | null> {
  const { value, done } = await reader.next()
  return done === true ? null : value
}
