/** What `oss20bd top` knows and asks; how news and keys change it. Pure. */
import type { Now } from '../../daemon/dashboard/feed-protocol.ts'
import type { Sample } from '../../daemon/dashboard/sample.ts'
import type { JournalEvent } from '../../journal.ts'
import type { News } from './feed.ts'
import { samplesOf } from './samples.ts'
import type { Key } from './keys.ts'

export type AskedVerb = 'restart' | 'unload'

export interface TopState {
  /** null before the first news. */
  readonly now: Now | null
  /** When that came; monotonic. */
  readonly heardAtMs: number
  /** Why there is no connection; null while there is one. */
  readonly lost: string | null
  /** Oldest first. */
  readonly samples: readonly Sample[]
  readonly events: readonly JournalEvent[]
  /** The open request that was chosen. */
  readonly chosen: string | null
  /** What waits for a yes. */
  readonly asks: AskedVerb | null
  readonly said: Said | null
}

interface Said {
  readonly text: string
  readonly isBad: boolean
  /** Monotonic. */
  readonly atMs: number
}

/** What a key leads to outside. */
export type Deed =
  | { readonly kind: 'quit' }
  | { readonly kind: 'suspend' }
  | { readonly kind: AskedVerb }
  | { readonly kind: 'cancel'; readonly id: string }

export const initialTop: TopState = {
  now: null,
  heardAtMs: 0,
  lost: null,
  samples: [],
  events: [],
  chosen: null,
  asks: null,
  said: null,
}

const KEPT_EVENTS = 200
/** An hour of news every two seconds. */
const KEPT_SAMPLES = 1800

export function takeNews(state: TopState, news: News, nowMs: number): TopState {
  switch (news.kind) {
    case 'lost':
      return { ...state, lost: news.why, asks: null }
    case 'history':
      return { ...state, samples: samplesOf(news.history) }
    case 'journal':
      return { ...state, events: news.events.slice(-KEPT_EVENTS) }
    case 'event':
      return { ...state, events: [...state.events, news.event].slice(-KEPT_EVENTS) }
    case 'now': {
      const { now } = news
      const samples = [...state.samples, now.sample].slice(-KEPT_SAMPLES)
      const isOpen = now.requests.open.some(({ id }) => id === state.chosen)
      const chosen = isOpen ? state.chosen : null
      return { ...state, now, heardAtMs: nowMs, lost: null, samples, chosen }
    }
  }
}

export interface Pressed {
  readonly state: TopState
  readonly deed: Deed | null
}

export function press(state: TopState, key: Key, nowMs: number): Pressed {
  if (key === 'ctrl-c') return { state, deed: { kind: 'quit' } }
  if (key === 'ctrl-z') return { state, deed: { kind: 'suspend' } }
  if (state.asks !== null) return answered(state, state.asks, key, nowMs)
  switch (key) {
    case 'q':
      return { state, deed: { kind: 'quit' } }
    case 'r':
      return stay(asking(state, 'restart', nowMs))
    case 'u':
      return stay(asking(state, 'unload', nowMs))
    case 'c':
      return cancelled(state, nowMs)
    case 'up':
    case 'k':
      return stay({ ...state, chosen: neighbour(state, -1) })
    case 'down':
    case 'j':
      return stay({ ...state, chosen: neighbour(state, 1) })
  }
  return stay(state)
}

/** Nothing but a clear yes does it. */
function answered(state: TopState, verb: AskedVerb, key: Key, nowMs: number): Pressed {
  const next = { ...state, asks: null }
  if (key === 'y') return { state: next, deed: { kind: verb } }
  return stay(say(next, 'Nothing was done', false, nowMs))
}

function asking(state: TopState, verb: AskedVerb, nowMs: number): TopState {
  if (state.lost === null && state.now !== null) return { ...state, asks: verb, said: null }
  return say(state, `Cannot ${verb}: there is no connection to the daemon`, true, nowMs)
}

function cancelled(state: TopState, nowMs: number): Pressed {
  const open = state.now?.requests.open ?? []
  const only = open.length === 1 ? open[0]?.id : undefined
  const id = state.chosen ?? only
  if (id !== undefined) return { state, deed: { kind: 'cancel', id } }
  const text =
    open.length === 0
      ? 'Cannot cancel: no request is open'
      : 'Choose the request first, with the arrow keys'
  return stay(say(state, text, true, nowMs))
}

function neighbour({ now, chosen }: TopState, step: 1 | -1): string | null {
  const ids = (now?.requests.open ?? []).map(({ id }) => id)
  const at = chosen === null ? -1 : ids.indexOf(chosen)
  if (at === -1) return (step === 1 ? ids[0] : ids.at(-1)) ?? null
  return ids[Math.min(ids.length - 1, Math.max(0, at + step))] ?? null
}

export function say(state: TopState, text: string, isBad: boolean, atMs: number): TopState {
  return { ...state, said: { text, isBad, atMs } }
}

function stay(state: TopState): Pressed {
  return { state, deed: null }
}
