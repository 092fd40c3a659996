/** Which events of the journal led to the present state, or to the last stop. Pure. */
import type { JournalEvent } from '../journal.ts'

/** A run that was ready for so long began a new story: what came before has nothing to do with its end. */
const WELL_AFTER_MS = 600_000

export interface Chain {
  /** Oldest first, without what adds nothing. */
  readonly events: readonly JournalEvent[]
  /** When the daemon before was last heard of, where it ended without saying so within this chain. */
  readonly lostDaemonAt: string | null
}

/** What led to the end of these events. */
export function chainToNow(events: readonly JournalEvent[]): Chain {
  return chainOf(events, beginOf(events, events.length - 1), events.length)
}

/** What led to the last stop, and out of it; empty when nothing has stopped. */
export function chainOfLastStop(events: readonly JournalEvent[]): Chain {
  const stop = events.findLastIndex(
    (event, index) => event.kind === 'exit' || lostBefore(events, index) !== null,
  )
  if (stop === -1) return { events: [], lostDaemonAt: null }
  const back = events.findIndex((event, index) => index > stop && isReady(event))
  // The operating system may tell what it knows when the next run has long been ready.
  const explained = events.findLastIndex(({ kind }) => kind === 'explained')
  const end = back === -1 ? events.length : Math.max(back, explained) + 1
  return chainOf(events, beginOf(events, stop), end)
}

/** What came of it since memory was last at ease. */
export function chainOfShortage(events: readonly JournalEvent[]): Chain {
  const begin = events.findLastIndex(
    ({ kind, facts }) => kind === 'memory' && facts['from'] === 'ok',
  )
  return begin === -1 ? chainToNow(events) : chainOf(events, begin, events.length)
}

/** A run that ended although nobody asked. */
export function isDeath(event: JournalEvent): boolean {
  return event.kind === 'exit' && event.facts['cause'] !== 'asked'
}

function chainOf(events: readonly JournalEvent[], from: number, to: number): Chain {
  const part = events.slice(from, to)
  const lost = part.map((_event, index) => lostBefore(events, from + index))
  return {
    events: part.filter((event, index) => addsSomething(event, index, part)),
    lostDaemonAt: lost.findLast((at) => at !== null) ?? null,
  }
}

/** Goes back to what was asked for, to the start of the daemon, or to a run that was well. */
function beginOf(events: readonly JournalEvent[], last: number): number {
  let exitedAtMs: number | null = null
  for (let index = last; index >= 0; index -= 1) {
    const event = events[index]
    if (event === undefined) break
    if (event.kind === 'asked' || event.kind === 'daemon-started') return index
    if (event.kind === 'daemon-stopped' && index < last) return index + 1
    const atMs = Date.parse(event.at)
    if (event.kind === 'exit') exitedAtMs = atMs
    if (exitedAtMs !== null && isReady(event) && exitedAtMs - atMs >= WELL_AFTER_MS) {
      return index + 1
    }
  }
  return 0
}

/** Where a daemon begins although the one before did not say that it ends: when that was last heard of. */
function lostBefore(events: readonly JournalEvent[], index: number): string | null {
  const before = events[index - 1]
  if (events[index]?.kind !== 'daemon-started' || before === undefined) return null
  return before.kind === 'daemon-stopped' ? null : before.at
}

function isReady(event: JournalEvent): boolean {
  return event.kind === 'state' && event.facts['to'] === 'ready'
}

/** Most changes of state only repeat what an exit or a decision says better. */
function addsSomething(event: JournalEvent, index: number, part: readonly JournalEvent[]): boolean {
  if (event.kind !== 'state') return true
  const to = event.facts['to']
  if (to === 'asleep' || to === 'refused') return true
  if (to === 'ready') return part.slice(index + 1).every(({ kind }) => kind === 'explained')
  return to === 'failed' && part[index - 1]?.kind !== 'decision'
}
