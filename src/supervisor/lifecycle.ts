/**
 * The engine's life: state and event to next state and effects. Pure.
 *
 * ```text
 *             start                  loaded          check-passed
 *   down ───────────────▶ starting ─────────▶ starting ─────────▶ ready ───────────┐
 *    ▲                    (loading) ──┐       (checking)            │ stop, restart, │
 *    │ exited, wanted down    ▲       │ refused                     │ unload,        │
 *    └─────── stopping ───────┘       ▼                             │ recycle,       │
 *              ▲ │ │ exited, wanted  refused ── changed, ▶ starting │ context,       │
 *              │ │ └ up               ▲         load, room          │ condemned      │
 *              │ └─ exited, unload ─▶ asleep ── wake, load ▶ starting                │
 *              └────────────────────────────────────────────────────┘                │
 *   any run exits unasked ──▶ backoff ── delay over ──▶ starting ◀── at once ────────┘
 *                        └──▶ failed ── changed ──▶ starting
 * ```
 *
 * `wanted` is what the user asked for and is kept apart from what is. A run is one process of the
 * engine; events of a run that has since been replaced change nothing.
 */
import type { ExitReason } from '../engine.ts'
import {
  normalProfile,
  type EngineState,
  type Lifecycle,
  type LifecycleEvent,
  type Refusal,
  type Step,
} from './engine-state.ts'
import { whenExited } from './after-exit.ts'
import { whenAboutMemory } from './giving-back.ts'
import { beginRun, endRun, fallAsleep, stay } from './transitions.ts'
import type { RestartSettings } from './restart-policy.ts'

/** One answer may be bad luck of a single request; two in a row are the engine. */
const badAnswersToCondemn = 2

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
      return whenRestarted({ ...afresh(life), wanted: 'up' })
    case 'stop':
      return whenStopped({ ...life, wanted: 'down' })
    case 'unload':
    case 'wake':
    case 'load':
    case 'recycle':
    case 'context':
    case 'room':
      return whenAboutMemory(life, event, settings)
    case 'changed':
      return isStuck(life.state) ? beginRun(afresh(life)) : stay(life)
    case 'exited':
      return whenExited(life, event, nowMs, settings)
    case 'explained':
      return whenExplained(life, event.runId, event.reason)
    case 'load-progress':
    case 'loaded':
    case 'check-passed':
    case 'backoff-over':
    case 'refused':
    case 'no-room':
    case 'good-answer':
    case 'bad-answer':
    case 'condemned':
      // Only of the present run.
      return 'runId' in life.state && life.state.runId === event.runId
        ? whenRunTold(life, event, nowMs)
        : stay(life)
  }
}

type RunEvent = Extract<
  LifecycleEvent,
  {
    kind:
      | 'load-progress'
      | 'loaded'
      | 'check-passed'
      | 'backoff-over'
      | 'refused'
      | 'no-room'
      | 'good-answer'
      | 'bad-answer'
      | 'condemned'
  }
>

function whenRunTold(life: Lifecycle, event: RunEvent, nowMs: number): Step {
  switch (event.kind) {
    case 'load-progress':
      return whenProgressed(life, event.value)
    case 'loaded':
      return whenLoaded(life)
    case 'check-passed':
      return whenCheckPassed(life, nowMs)
    case 'backoff-over':
      return life.state.kind === 'backoff' ? beginRun(life) : stay(life)
    case 'refused':
      return life.state.kind === 'starting' ? refuse(life, event.refusal) : whenNeverRan(life)
    case 'no-room':
      return life.state.kind === 'starting' ? fallAsleep(life, 'memory') : whenNeverRan(life)
    case 'good-answer':
      return whenAnsweredWell(life)
    case 'bad-answer':
      return whenAnsweredBadly(life, event.reason)
    case 'condemned':
      return whenCondemned(life, event.reason)
  }
}

/** Past deaths and what was decided because of them are forgotten. */
function afresh(life: Lifecycle): Lifecycle {
  return { ...life, deaths: [], profile: normalProfile }
}

function isStuck(state: EngineState): boolean {
  return state.kind === 'failed' || state.kind === 'refused'
}

function whenStarted(life: Lifecycle): Step {
  switch (life.state.kind) {
    case 'down':
    case 'backoff':
    case 'failed':
    case 'refused':
      return beginRun(afresh(life))
    case 'asleep':
      return beginRun(life)
    case 'stopping':
      return stay({ ...life, state: { ...life.state, unload: null } })
    case 'starting':
    case 'ready':
      return stay(life)
  }
}

function whenRestarted(life: Lifecycle): Step {
  switch (life.state.kind) {
    case 'down':
    case 'backoff':
    case 'failed':
    case 'refused':
    case 'asleep':
      return beginRun(life)
    case 'starting':
    case 'ready':
      return endRun(life, 'asked', null)
    case 'stopping':
      return stay({ ...life, state: { ...life.state, unload: null } })
  }
}

function whenStopped(life: Lifecycle): Step {
  switch (life.state.kind) {
    case 'starting':
    case 'ready':
      return endRun(life, 'asked', null)
    case 'backoff':
    case 'failed':
    case 'refused':
    case 'asleep':
      return stay({ ...life, state: { kind: 'down' } })
    case 'down':
    case 'stopping':
      return stay(life)
  }
}

function whenProgressed(life: Lifecycle, value: number): Step {
  const { state } = life
  if (state.kind !== 'starting') return stay(life)
  return stay({ ...life, state: { ...state, loadProgress: value } })
}

function whenLoaded(life: Lifecycle): Step {
  const { state } = life
  if (state.kind !== 'starting' || state.phase !== 'loading') return stay(life)
  return {
    next: { ...life, state: { ...state, phase: 'checking', loadProgress: 1 } },
    effects: [{ kind: 'check', runId: state.runId }],
  }
}

function whenCheckPassed(life: Lifecycle, nowMs: number): Step {
  const { state } = life
  if (state.kind !== 'starting' || state.phase !== 'checking') return stay(life)
  const { runId } = state
  return stay({
    ...life,
    state: { kind: 'ready', runId, readyAtMs: nowMs, answeredWell: false, badAnswers: 0 },
  })
}

function refuse(life: Lifecycle, refusal: Refusal): Step {
  return { next: { ...life, state: { kind: 'refused', refusal } }, effects: [{ kind: 'watch' }] }
}

/** It was ended before there was a process: nothing has died, and nothing is to be waited for. */
function whenNeverRan(life: Lifecycle): Step {
  const { state } = life
  if (state.kind !== 'stopping') return stay(life)
  if (life.wanted === 'down') return stay({ ...life, state: { kind: 'down' } })
  return state.unload === null ? beginRun(life) : fallAsleep(life, state.unload)
}

function whenAnsweredWell(life: Lifecycle): Step {
  const { state } = life
  if (state.kind !== 'ready' || (state.answeredWell && state.badAnswers === 0)) return stay(life)
  return stay({ ...life, state: { ...state, answeredWell: true, badAnswers: 0 } })
}

function whenAnsweredBadly(life: Lifecycle, reason: ExitReason): Step {
  const { state } = life
  if (state.kind !== 'ready') return stay(life)
  const badAnswers = state.badAnswers + 1
  if (badAnswers >= badAnswersToCondemn) return whenCondemned(life, reason)
  return stay({ ...life, state: { ...state, badAnswers } })
}

function whenCondemned(life: Lifecycle, reason: ExitReason): Step {
  const { state } = life
  if (state.kind !== 'starting' && state.kind !== 'ready') return stay(life)
  const { runId } = state
  const was = state.kind === 'ready' ? state : null
  return {
    next: {
      ...life,
      state: { kind: 'stopping', runId, condemned: reason, because: 'asked', unload: null, was },
    },
    effects: [{ kind: 'kill', runId }],
  }
}

function whenExplained(life: Lifecycle, runId: number, reason: ExitReason): Step {
  if (life.lastExit?.runId !== runId) return stay(life)
  return stay({ ...life, lastExit: { ...life.lastExit, reason } })
}
