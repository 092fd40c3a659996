/**
 * The engine's life: state and event to next state and effects. Pure.
 *
 * ```text
 *             start                  loaded            answered
 *   down ───────────────▶ starting ─────────▶ starting ─────────▶ ready
 *    ▲                    (loading)           (checking)            │
 *    │ exited, wanted down    ▲ exited,            │ stop, restart, │
 *    └─────── stopping ───────┘ wanted up ◀────────┴─ condemned ────┘
 *                             ▲
 *   any run exits unasked ──▶ backoff ──▶ (delay over) starting      or ──▶ failed
 * ```
 *
 * `wanted` is what the user asked for and is kept apart from what is. A run is one process of the
 * engine; events of a run that has since been replaced change nothing.
 */
import type { ExitReason } from '../engine.ts'
import { decideRestart, recentDeaths, type RestartSettings } from './restart-policy.ts'

export type EngineState =
  | { readonly kind: 'down' }
  | {
      readonly kind: 'starting'
      readonly runId: number
      readonly phase: 'loading' | 'checking'
      /** 0 to 1; null until the engine tells. */
      readonly loadProgress: number | null
    }
  | { readonly kind: 'ready'; readonly runId: number; /** Monotonic. */ readonly readyAtMs: number }
  /** Was told to end: by us for a `condemned` reason, else by the user. What follows is `wanted`. */
  | { readonly kind: 'stopping'; readonly runId: number; readonly condemned: ExitReason | null }
  | { readonly kind: 'backoff'; readonly runId: number; readonly untilMs: number }
  | { readonly kind: 'failed'; readonly reason: ExitReason; readonly why: string }

interface Exit {
  readonly reason: ExitReason
  /** Milliseconds since the epoch. */
  readonly atEpochMs: number
}

/** All that the supervisor knows, replaced whole at each event. */
export interface Lifecycle {
  readonly wanted: 'up' | 'down'
  readonly state: EngineState
  readonly lastRunId: number
  /** Deaths that were not asked for and still count; monotonic, oldest first. */
  readonly deathsAtMs: readonly number[]
  /** Runs begun after an earlier run had ended, asked for or not. */
  readonly restarts: number
  readonly lastExit: Exit | null
}

export type LifecycleEvent =
  | { readonly kind: 'start' | 'restart' | 'stop' }
  | { readonly kind: 'load-progress'; readonly runId: number; readonly value: number }
  | { readonly kind: 'loaded' | 'answered' | 'backoff-over'; readonly runId: number }
  /** Alive but no good: it must be killed, and counts as dead for this reason. */
  | { readonly kind: 'condemned'; readonly runId: number; readonly reason: ExitReason }
  | {
      readonly kind: 'exited'
      readonly runId: number
      readonly reason: ExitReason
      readonly atEpochMs: number
      /** Random, 0 to 1. */
      readonly jitter: number
    }

export type Effect =
  | { readonly kind: 'spawn' | 'check' | 'kill'; readonly runId: number }
  /** Polite only to an engine that has answered: one that still loads has nothing to finish. */
  | { readonly kind: 'stop'; readonly runId: number; readonly polite: boolean }
  | { readonly kind: 'wait'; readonly runId: number; readonly delayMs: number }

export interface Step {
  readonly next: Lifecycle
  readonly effects: readonly Effect[]
}

export const initialLifecycle: Lifecycle = {
  wanted: 'down',
  state: { kind: 'down' },
  lastRunId: 0,
  deathsAtMs: [],
  restarts: 0,
  lastExit: null,
}

/** One event at `nowMs` (monotonic). */
export function advance(
  life: Lifecycle,
  event: LifecycleEvent,
  nowMs: number,
  settings: RestartSettings,
): Step {
  switch (event.kind) {
    case 'start':
      return whenStarted({ ...life, wanted: 'up' })
    case 'restart':
      return whenRestarted({ ...life, wanted: 'up', deathsAtMs: [] })
    case 'stop':
      return whenStopped({ ...life, wanted: 'down' })
    case 'load-progress':
      return whenProgressed(life, event.runId, event.value)
    case 'loaded':
      return whenLoaded(life, event.runId)
    case 'answered':
      return whenAnswered(life, event.runId, nowMs)
    case 'condemned':
      return whenCondemned(life, event.runId, event.reason)
    case 'backoff-over':
      return life.state.kind === 'backoff' && life.state.runId === event.runId
        ? beginRun(life)
        : stay(life)
    case 'exited':
      return whenExited(life, event, nowMs, settings)
  }
}

function stay(life: Lifecycle): Step {
  return { next: life, effects: [] }
}

function beginRun(life: Lifecycle): Step {
  const runId = life.lastRunId + 1
  return {
    next: {
      ...life,
      lastRunId: runId,
      restarts: life.lastRunId === 0 ? 0 : life.restarts + 1,
      state: { kind: 'starting', runId, phase: 'loading', loadProgress: null },
    },
    effects: [{ kind: 'spawn', runId }],
  }
}

function endRun(life: Lifecycle, runId: number, polite: boolean): Step {
  return {
    next: { ...life, state: { kind: 'stopping', runId, condemned: null } },
    effects: [{ kind: 'stop', runId, polite }],
  }
}

function whenStarted(life: Lifecycle): Step {
  switch (life.state.kind) {
    case 'down':
    case 'backoff':
    case 'failed':
      return beginRun({ ...life, deathsAtMs: [] })
    case 'starting':
    case 'ready':
    case 'stopping':
      return stay(life)
  }
}

function whenRestarted(life: Lifecycle): Step {
  switch (life.state.kind) {
    case 'down':
    case 'backoff':
    case 'failed':
      return beginRun(life)
    case 'starting':
      return endRun(life, life.state.runId, false)
    case 'ready':
      return endRun(life, life.state.runId, true)
    case 'stopping':
      return stay(life)
  }
}

function whenStopped(life: Lifecycle): Step {
  switch (life.state.kind) {
    case 'starting':
      return endRun(life, life.state.runId, false)
    case 'ready':
      return endRun(life, life.state.runId, true)
    case 'backoff':
    case 'failed':
      return stay({ ...life, state: { kind: 'down' } })
    case 'down':
    case 'stopping':
      return stay(life)
  }
}

function whenProgressed(life: Lifecycle, runId: number, value: number): Step {
  const { state } = life
  if (state.kind !== 'starting' || state.runId !== runId) return stay(life)
  return stay({ ...life, state: { ...state, loadProgress: value } })
}

function whenLoaded(life: Lifecycle, runId: number): Step {
  const { state } = life
  if (state.kind !== 'starting' || state.runId !== runId || state.phase !== 'loading') {
    return stay(life)
  }
  return {
    next: { ...life, state: { ...state, phase: 'checking', loadProgress: 1 } },
    effects: [{ kind: 'check', runId }],
  }
}

function whenAnswered(life: Lifecycle, runId: number, nowMs: number): Step {
  const { state } = life
  if (state.kind !== 'starting' || state.runId !== runId) return stay(life)
  return stay({ ...life, state: { kind: 'ready', runId, readyAtMs: nowMs } })
}

function whenCondemned(life: Lifecycle, runId: number, reason: ExitReason): Step {
  const { state } = life
  const alive = state.kind === 'starting' || state.kind === 'ready'
  if (!alive || state.runId !== runId) return stay(life)
  return {
    next: { ...life, state: { kind: 'stopping', runId, condemned: reason } },
    effects: [{ kind: 'kill', runId }],
  }
}

function whenExited(
  life: Lifecycle,
  event: LifecycleEvent & { kind: 'exited' },
  nowMs: number,
  settings: RestartSettings,
): Step {
  const { state } = life
  const alive = state.kind === 'starting' || state.kind === 'ready' || state.kind === 'stopping'
  if (!alive || state.runId !== event.runId) return stay(life)
  const condemned = state.kind === 'stopping' ? state.condemned : null
  const asked = state.kind === 'stopping' && condemned === null
  const reason = asked ? askedFor(event.reason) : (condemned ?? event.reason)
  const ended: Lifecycle = { ...life, lastExit: { reason, atEpochMs: event.atEpochMs } }
  if (life.wanted === 'down') return stay({ ...ended, state: { kind: 'down' } })
  if (asked) return beginRun(ended)

  const wasWell = state.kind === 'ready' && nowMs - state.readyAtMs >= settings.windowMs
  const earlier = wasWell ? [] : recentDeaths(life.deathsAtMs, nowMs, settings.windowMs)
  return afterDeath({ ...ended, deathsAtMs: [...earlier, nowMs] }, event, reason, nowMs, settings)
}

function afterDeath(
  life: Lifecycle,
  event: LifecycleEvent & { kind: 'exited' },
  reason: ExitReason,
  nowMs: number,
  settings: RestartSettings,
): Step {
  const verdict = decideRestart(reason.permanent, life.deathsAtMs.length, settings, event.jitter)
  if (verdict.kind === 'give-up') {
    return stay({ ...life, state: { kind: 'failed', reason, why: verdict.why } })
  }
  if (verdict.delayMs === 0) return beginRun(life)
  return {
    next: {
      ...life,
      state: { kind: 'backoff', runId: event.runId, untilMs: nowMs + verdict.delayMs },
    },
    effects: [{ kind: 'wait', runId: event.runId, delayMs: verdict.delayMs }],
  }
}

/** Whatever an asked stop looked like to the operating system, it was asked for. */
function askedFor(reason: ExitReason): ExitReason {
  return { cause: 'asked', permanent: false, message: 'It was asked to stop', hint: reason.hint }
}
