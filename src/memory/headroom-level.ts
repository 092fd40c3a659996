/** Readings over time to a level: ok, tight or critical, each with its reasons. Pure. */
import { formatDuration } from '../units.ts'
import type { HeadroomLevel, HeadroomSettings, HeadroomStep, Sign, SignalName } from './headroom.ts'
import type { Judgement } from './headroom-signals.ts'

/** What has been seen of one signal. Times are monotonic. */
interface Watch {
  readonly raised: boolean
  /** Since when it has been over without a reading that says otherwise; null when it is not. */
  readonly overSinceMs: number | null
  /** Since when it has been calm or unknown; null when it is not. */
  readonly calmSinceMs: number | null
  /** The last reading, and the last one that knew the value. */
  readonly readAtMs: number
  readonly knownAtMs: number
  /** When it was last over, for how long, and what it then said. */
  readonly last: {
    readonly atMs: number
    readonly forMs: number
    readonly words: string
    readonly reach: HeadroomStep
  } | null
}

type WatchKey = `${SignalName}-${Judgement['level']}`

export type Watches = Readonly<Partial<Record<WatchKey, Watch>>>

/** A longer time without a value (a machine that slept, a tool that hangs) is no duration of anything. */
const BLIND_MS = 15_000

/**
 * Takes one reading into account. A signal counts once it has been over for `tightAfterMs` or
 * `criticalAfterMs`, and is forgotten once it has been calm for `calmAfterMs`. An unknown value raises
 * nothing: a short gap only does not break what is seen on both sides of it, a long one forgets.
 */
export function watchSignals(
  before: Watches,
  judgements: readonly Judgement[],
  nowMs: number,
  settings: HeadroomSettings,
): Watches {
  const next: Partial<Record<WatchKey, Watch>> = {}
  for (const judgement of judgements) {
    const key = keyOf(judgement)
    next[key] = watch(before[key], judgement, nowMs, settings)
  }
  return next
}

/** What was seen of one run of the engine says nothing of the next. */
export function forgetFootprint(watches: Watches): Watches {
  const { 'footprint-tight': _, ...others } = watches
  return others
}

/** The signals that count, the worst first; of one that is critical the tight side says no more. */
export function signsOf(
  watches: Watches,
  judgements: readonly Judgement[],
  nowMs: number,
): readonly Sign[] {
  const signs = judgements.flatMap((judgement) => {
    const { name, level } = judgement
    const seen = watches[keyOf(judgement)]
    if (seen?.raised !== true || seen.last === null) return []
    return [{ name, level, reach: seen.last.reach, words: wordsOf(seen.last, nowMs) }]
  })
  const critical = signs.filter(({ level }) => level === 'critical')
  const names = new Set(critical.map(({ name }) => name))
  return [...critical, ...signs.filter(({ name }) => !names.has(name))]
}

export function levelOf(signs: readonly Sign[]): HeadroomLevel {
  if (signs.some(({ level }) => level === 'critical')) return 'critical'
  return signs.length > 0 ? 'tight' : 'ok'
}

function keyOf({ name, level }: Judgement): WatchKey {
  return `${name}-${level}`
}

function watch(
  before: Watch | undefined,
  { verdict, level, words, reach }: Judgement,
  nowMs: number,
  settings: HeadroomSettings,
): Watch {
  const { raised, last } = before ?? { raised: false, last: null }
  const seen = before !== undefined && nowMs - before.knownAtMs <= BLIND_MS
  const read = before !== undefined && nowMs - before.readAtMs <= BLIND_MS
  const overSinceMs = seen ? before.overSinceMs : null
  const calmSinceMs = (read ? before.calmSinceMs : null) ?? nowMs
  const known = {
    raised,
    overSinceMs: null,
    calmSinceMs: null,
    readAtMs: nowMs,
    knownAtMs: nowMs,
    last,
  }
  const still = raised && nowMs - calmSinceMs < settings.calmAfterMs
  switch (verdict) {
    case 'over': {
      const sinceMs = overSinceMs ?? nowMs
      const forMs = nowMs - sinceMs
      const dueMs = level === 'tight' ? settings.tightAfterMs : settings.criticalAfterMs
      const now = { atMs: nowMs, forMs, words, reach }
      return { ...known, raised: raised || forMs >= dueMs, overSinceMs: sinceMs, last: now }
    }
    case 'between':
      return known
    case 'calm':
      return { ...known, raised: still, calmSinceMs }
    case 'unknown': {
      const knownAtMs = before?.knownAtMs ?? nowMs
      return { ...known, raised: still, overSinceMs, calmSinceMs, knownAtMs }
    }
  }
}

function wordsOf({ atMs, forMs, words }: NonNullable<Watch['last']>, nowMs: number): string {
  const agoMs = nowMs - atMs
  if (agoMs > 0) return `${words}, ${formatDuration(agoMs)} ago`
  return forMs > 0 ? `${words} for ${formatDuration(forMs)}` : words
}
