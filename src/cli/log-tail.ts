/** The last lines of several logs, in the order of time. */
import type { LogEntry } from './log-entry.ts'
import { parseLogLine } from './log-entry.ts'
import type { LogEnd } from '../log-files.ts'
import { readBackwards } from '../log-files.ts'

/** The last `count` lines before these ends together, oldest first. Holds `count` lines in memory. */
export async function lastEntries(
  folder: string,
  ends: readonly LogEnd[],
  count: number,
): Promise<readonly LogEntry[]> {
  const readers = ends.map((end) => readBackwards(folder, end))
  const found: LogEntry[] = []
  try {
    const heads = await Promise.all(readers.map(nextEntry))
    while (found.length < count) {
      const newest = newestOf(heads)
      const reader = readers[newest]
      const head = heads[newest]
      if (reader === undefined || head == null) break
      found.push(head)
      heads[newest] = await nextEntry(reader)
    }
  } finally {
    await Promise.all(readers.map((reader) => reader.return(undefined)))
  }
  return found.toReversed()
}

/** The place of the newest entry, or -1. One without a time stays next to the line it came after. */
function newestOf(heads: readonly (LogEntry | null)[]): number {
  let best = -1
  let bestAtMs = -Infinity
  for (const [index, head] of heads.entries()) {
    if (head === null) continue
    const atMs = head.atMs ?? Infinity
    if (best === -1 || atMs > bestAtMs) {
      best = index
      bestAtMs = atMs
    }
  }
  return best
}

async function nextEntry(reader: AsyncGenerator<string>): Promise<LogEntry | null> {
  const { value, done } = await reader.next()
  return done === true ? null : parseLogLine(value)
}
