/** What follows the end of a run: what was asked, or what the restart policy says. Pure. */
import type { ExitReason } from '../engine.ts'
import { endedFor } from './end-reasons.ts'
import type { EngineState, ExitedEvent, Lifecycle, ReadyState, Step } from './engine-state.ts'
import { beginRun, fallAsleep, stay } from './transitions.ts'
import { deathsThatCount, decideRestart, type RestartSettings } from './restart-policy.ts'

export function whenExited(
  life: Lifecycle,
  event: ExitedEvent,
  nowMs: number,
  settings: RestartSettings,
): Step {
  const { state } = life
  const alive = state.kind === 'starting' || state.kind === 'ready' || state.kind === 'stopping'
  if (!alive || state.runId !== event.runId) return stay(life)
  const condemned = state.kind === 'stopping' ? state.condemned : null
  const asked = state.kind === 'stopping' && state.condemned === null
  // Whatever an asked stop looked like to the operating system, it was asked for.
  const reason = asked ? endedFor(state.unload ?? state.because) : (condemned ?? event.reason)
  const ended: Lifecycle = {
    ...life,
    lastExit: { runId: event.runId, reason, atEpochMs: event.atEpochMs },
  }
  if (life.wanted === 'down') return stay({ ...ended, state: { kind: 'down' } })
  const judged = forgetWhenWell(ended, nowMs, settings)
  if (state.kind === 'stopping' && state.unload !== null) return fallAsleep(judged, state.unload)
  if (asked) return beginRun(judged)
  return afterDeath(judged, event, reason, nowMs, settings)
}

/** A run that was ready for long, and proved it to an app, clears what was held against the ones before. */
function forgetWhenWell(life: Lifecycle, nowMs: number, { windowMs }: RestartSettings): Lifecycle {
  const { state, profile, deaths } = life
  const ready = readyState(state)
  if (ready !== null && ready.answeredWell && nowMs - ready.readyAtMs >= windowMs) {
    return { ...life, deaths: [], profile: { ...profile, safeMode: false } }
  }
  return { ...life, deaths: deathsThatCount(deaths, nowMs, profile.safeMode, windowMs) }
}

/** How ready the run was, before it was condemned if it was. */
function readyState(state: EngineState): ReadyState | null {
  if (state.kind === 'ready') return state
  return state.kind === 'stopping' ? state.was : null
}

function afterDeath(
  life: Lifecycle,
  event: ExitedEvent,
  reason: ExitReason,
  nowMs: number,
  settings: RestartSettings,
): Step {
  if (reason.cause === 'system-shortage') return waitOut(life, event.runId, nowMs, settings)
  const wasReady = readyState(life.state) !== null
  const deaths = [...life.deaths, { atMs: nowMs, wasReady }]
  const verdict = decideRestart(reason, deaths.length, life.profile, settings, event.jitter)
  if (verdict.kind === 'give-up') {
    return {
      next: { ...life, deaths, state: { kind: 'failed', reason, why: verdict.why } },
      effects: [{ kind: 'watch' }],
    }
  }
  const { delayMs, profile } = verdict
  const next: Lifecycle = { ...life, deaths, profile }
  return delayMs === 0 ? beginRun(next) : waitFor(delayMs, next, event.runId, nowMs)
}

/** Nothing has died, and nothing would be cured by a smaller set-up: it passes, or it does not. */
function waitOut(life: Lifecycle, runId: number, nowMs: number, settings: RestartSettings): Step {
  const delayMs = Math.min(settings.maxDelayMs, settings.baseDelayMs * 2)
  return waitFor(delayMs, life, runId, nowMs)
}

function waitFor(delayMs: number, life: Lifecycle, runId: number, nowMs: number): Step {
  return {
    next: { ...life, state: { kind: 'backoff', runId, untilMs: nowMs + delayMs } },
    effects: [{ kind: 'wait', runId, delayMs }],
  }
}
