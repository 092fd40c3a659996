/** Why the present state is what it is, or why the last stop was, from the status and the journal. Pure. */
import type { Status } from '../daemon/control-protocol.ts'
import type { JournalEvent } from '../journal.ts'
import { formatDuration } from '../units.ts'
import {
  chainOfLastStop,
  chainOfShortage,
  chainToNow,
  isDeath,
  type Chain,
} from './journal-chain.ts'
import { evidenceOf } from './journal-evidence.ts'
import { timeText } from './render-event.ts'

const LOST = 'it was killed, it crashed, or the power was lost'

/** `silent` is a daemon that is there but does not answer; null is none. */
export type Asked = Status | 'silent' | null

export interface Story {
  /** A state of the engine, or `not-running`, or `silent`. */
  readonly state: string
  /** ISO 8601; null when unknown. */
  readonly since: string | null
  /** The state in words. */
  readonly message: string
  /** What the events add up to, a sentence each. */
  readonly sums: readonly string[]
  readonly hint: string | null
  /** Unless it is in trouble, the events tell of the past. `reduced` makes do with less than was asked for. */
  readonly mood: 'well' | 'reduced' | 'trouble'
  readonly story: readonly JournalEvent[]
  readonly evidence: readonly string[]
}

/** The states are taken as text: this must also read what a newer daemon says. `lastAliveMs` is for a daemon that is gone. */
export function tellWhy(
  asked: Asked,
  events: readonly JournalEvent[],
  nowMs: number,
  lastAliveMs: number | null = null,
): Story {
  if (asked === null) return tellGone(events, lastAliveMs)
  if (asked === 'silent') return tellSilent(events)
  const { sinceMs, detail, lastExit, safeMode, hint: ownHint } = asked.engine
  const state: string = asked.engine.state
  // One that sleeps for want of memory is not to be woken: that is told with what can be done.
  const isUp = state === 'ready' || (state === 'asleep' && ownHint === null)
  const known = withLastExit(events, lastExit)
  const isShort = isRestrained(asked)
  const chain = isShort ? chainOfShortage(known) : isUp ? chainOfLastStop(known) : chainToNow(known)
  const isReduced = isUp && (safeMode || endsReduced(chain))
  const hint =
    state === 'asleep' && ownHint !== null ? ownHint : stateHint(state, reasonHint(chain))
  const story = told(chain)
  return {
    state,
    since: new Date(nowMs - sinceMs).toISOString(),
    message: detail,
    hint: isReduced ? `${hint === null ? '' : `${hint}; `}in full again: oss20bd restart` : hint,
    mood: isUp ? (isReduced || isShort ? 'reduced' : 'well') : 'trouble',
    ...story,
    sums: isShort ? [...story.sums, ...shortageSums(asked.memory)] : story.sums,
  }
}

/** The machine is short of memory, or the engine has not all back that this took away. */
function isRestrained({ memory: { level, step } }: Status): boolean {
  return step !== 'normal' || level === 'tight' || level === 'critical'
}

function shortageSums({ reason, next }: Status['memory']): readonly string[] {
  return [
    reason === null ? 'Memory is at ease again' : `Memory is short: ${reason}`,
    ...(next === null ? [] : [`Next: ${next}`]),
  ]
}

/** What was decided after the last death makes do with less than the config asks for. */
function endsReduced({ events }: Chain): boolean {
  const facts = events.findLast(({ kind }) => kind === 'decision')?.facts ?? {}
  return facts['safeMode'] === true || Number(facts['contextHalvings'] ?? 0) > 0
}

function tellGone(events: readonly JournalEvent[], lastAliveMs: number | null): Story {
  const last = events.at(-1)
  const start = 'Start it: oss20bd start'
  const chain = chainToNow(events)
  const gone = (since: string | null, message: string, hint: string, sums: readonly string[]) => {
    const rest = told(chain)
    return {
      state: 'not-running',
      since,
      message,
      hint,
      mood: 'trouble' as const,
      ...rest,
      sums: [...rest.sums, ...sums],
    }
  }
  if (last === undefined) {
    return gone(null, 'no daemon runs, and the journal tells of none before', start, [])
  }
  if (last.kind === 'daemon-stopped') {
    return gone(last.at, 'the daemon ended in good order', start, [])
  }
  const reason = reasonHint(chain)
  return gone(
    null,
    `the daemon ended without a word: ${LOST}`,
    `${start}; see what it wrote last: oss20bd logs --daemon -n 50${reason === null ? '' : `; for llama-server: ${reason}`}`,
    [`The daemon was last heard of at ${timeText(lastAliveMs ?? Date.parse(last.at))}`],
  )
}

function tellSilent(events: readonly JournalEvent[]): Story {
  return {
    state: 'silent',
    since: null,
    message: 'the daemon is there, but does not answer',
    hint: 'See what it wrote last: oss20bd logs --daemon -n 50; if it stays so: oss20bd stop, then oss20bd start',
    mood: 'trouble',
    ...told(chainToNow(events)),
  }
}

function told(chain: Chain): Pick<Story, 'sums' | 'story' | 'evidence'> {
  const { events, lostDaemonAt } = chain
  const lost =
    lostDaemonAt === null
      ? []
      : [
          `The daemon before ended without a word, last heard of at ${timeText(Date.parse(lostDaemonAt))}: ${LOST}`,
        ]
  return { sums: [...lost, ...deathSum(events)], story: events, evidence: evidenceOf(events) }
}

/** How often it died and of what, when that was more than once. */
function deathSum(events: readonly JournalEvent[]): readonly string[] {
  const deaths = events.filter(isDeath)
  const [first, last] = [deaths.at(0), deaths.at(-1)]
  if (first === undefined || last === undefined || deaths.length < 2) return []
  const counts = new Map<string, number>()
  for (const { facts } of deaths) {
    const cause = String(facts['cause'] ?? 'unknown')
    counts.set(cause, (counts.get(cause) ?? 0) + 1)
  }
  const causes = [...counts].map(([cause, count]) => `${cause} ${count}`).join(', ')
  const withinMs = Math.max(0, Date.parse(last.at) - Date.parse(first.at))
  return [`llama-server died ${deaths.length} times within ${formatDuration(withinMs)} (${causes})`]
}

/** The advice of whoever knew most: the operating system, then the last death, then the decision. */
function reasonHint({ events }: Chain): string | null {
  const death = events.findLastIndex((event) => isDeath(event) || event.kind === 'hang')
  const after = death === -1 ? events : events.slice(death)
  const byRank = ['explained', 'exit', 'hang', 'decision', 'state', 'stop-report', 'orphan']
  for (const rank of byRank) {
    const hint = after.findLast(({ kind, hint: said }) => kind === rank && said !== null)?.hint
    if (hint != null) return hint
  }
  return null
}

function stateHint(state: string, reason: string | null): string | null {
  if (state === 'down') return 'Start it: oss20bd start'
  if (state === 'failed') {
    const again = 'oss20bd restart'
    if (reason === null) return `See its last lines: oss20bd logs --engine; then: ${again}`
    return reason.includes(again) ? reason : `${reason}; then: ${again}`
  }
  if (state === 'backoff') return reason ?? 'Nothing: it tries again by itself'
  if (state === 'refused') return reason ?? 'See what it needs and what there is: oss20bd status'
  return reason
}

/** The daemon remembers its last exit even when the journal could not be written. */
function withLastExit(
  events: readonly JournalEvent[],
  lastExit: Status['engine']['lastExit'],
): readonly JournalEvent[] {
  if (lastExit === null) return events
  const { at, cause, message, hint } = lastExit
  const slackMs = 5000
  const atMs = Date.parse(at)
  const isThere = events.some(
    (event) => event.kind === 'exit' && Date.parse(event.at) >= atMs - slackMs,
  )
  if (isThere) return events
  const exit: JournalEvent = { at, kind: 'exit', message, hint, facts: { cause }, evidence: [] }
  const later = events.findIndex((event) => Date.parse(event.at) > atMs)
  return events.toSpliced(later === -1 ? events.length : later, 0, exit)
}
