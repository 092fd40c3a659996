/** The steps that many events share: nothing to do, a new run, the end of one, and sleep. Pure. */
import type { EndReason, Lifecycle, Step, UnloadReason } from './engine-state.ts'

export function stay(life: Lifecycle): Step {
  return { next: life, effects: [] }
}

export function beginRun(life: Lifecycle): Step {
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

/** Ends the present run, if there is one that is not being ended yet. */
export function endRun(life: Lifecycle, because: EndReason, unload: UnloadReason | null): Step {
  const { state } = life
  if (state.kind !== 'starting' && state.kind !== 'ready') return stay(life)
  const { runId } = state
  const was = state.kind === 'ready' ? state : null
  return {
    next: { ...life, state: { kind: 'stopping', runId, condemned: null, because, unload, was } },
    effects: [{ kind: 'stop', runId, polite: state.kind === 'ready' }],
  }
}

export function fallAsleep(life: Lifecycle, reason: UnloadReason): Step {
  return stay({ ...life, state: { kind: 'asleep', reason } })
}
