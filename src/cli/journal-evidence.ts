/** The lines that show why it ended, and the few of them that tell most. Pure. */
import type { JournalEvent } from '../journal.ts'
import { isDeath } from './journal-chain.ts'

const MAX_TELLING_LINES = 12
/** The very end is worth seeing whatever it says. */
const MAX_LAST_LINES = 4
const TELLING =
  /error|fail|abort|assert|invalid|exception|cannot|could not|unable|fatal|panic|out of memory|oom|killed|signal|unknown|unsupported|mismatch|missing|timed? ?out/i

/** What the operating system said, then what the engine said, both oldest first. */
export function evidenceOf(events: readonly JournalEvent[]): readonly string[] {
  const last = events.findLastIndex((event) => isDeath(event) || event.kind === 'hang')
  if (last === -1) return []
  const explained = events.slice(last).filter(({ kind }) => kind === 'explained')
  return [...explained.flatMap(({ evidence }) => evidence), ...engineLines(events, last)]
}

/** Of a hang what was taken before the kill: what follows it is only the kill. */
function engineLines(events: readonly JournalEvent[], last: number): readonly string[] {
  const exit = events[last]
  const before = events[last - 1]
  const hang = before?.kind === 'hang' && exit?.kind === 'exit' ? before : exit
  return hang === undefined || hang.evidence.length === 0 ? (exit?.evidence ?? []) : hang.evidence
}

/** The lines that most likely say why, and the last ones; each once, in their order. */
export function tellingLines(lines: readonly string[]): readonly string[] {
  const said = [...new Set(lines.filter((line) => line.trim() !== ''))]
  if (said.length <= MAX_TELLING_LINES) return said
  const end = said.length - MAX_LAST_LINES
  const telling = said.slice(0, end).filter((line) => TELLING.test(line))
  return [...telling.slice(MAX_LAST_LINES - MAX_TELLING_LINES), ...said.slice(end)]
}
