/** The two steps that many events share: nothing to do, and a new run. Pure. */
import type { Lifecycle, Step } from './engine-state.ts'

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
