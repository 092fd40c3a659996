import { describe, expect, test } from 'vitest'
import { buildStatus, type StatusParts } from '../../../src/daemon/status.ts'
import { upstreamOf } from '../../../src/daemon/engine-upstream.ts'
import type { ExitReason } from '../../../src/engine.ts'
import { initialLifecycle, type EngineState } from '../../../src/supervisor/engine-state.ts'
import type { SupervisorView } from '../../../src/supervisor/supervisor-options.ts'

const gone: ExitReason = {
  cause: 'model-missing',
  permanent: true,
  message: 'Cannot load the model: no file',
  hint: 'oss20bd up',
}

const deaths = [1, 2, 3].map((atMs) => ({ atMs, wasReady: true }))

function viewOf(state: EngineState, wanted: 'up' | 'down' = 'up'): SupervisorView {
  return {
    life: { ...initialLifecycle, state, wanted, deaths },
    sinceMs: 1000,
    enginePid: null,
    engineFile: null,
    socketPath: '/run/engine.sock',
    counters: null,
    lastStop: null,
  }
}

function partsOf(view: SupervisorView): StatusParts {
  return {
    daemon: { pid: 7, version: '1.0.0', home: '/home', logs: '/logs', startedAtMs: 500 },
    view,
    engine: { path: '/engine', version: null, trial: null },
    model: { name: 'm', path: '/m', testModel: true, contextTokens: 8192, slots: 1 },
    proxy: {
      url: 'http://127.0.0.1:8020',
      alsoListening: [],
      counts: { inFlight: 1, queued: 0, held: 2, replayed: 0, continued: 0, failed: 3, served: 4 },
      today: {
        since: '2026-01-01T00:00:00.000Z',
        answered: 4,
        refused: 0,
        failed: 3,
        generatedTokens: 9,
      },
      queue: [],
    },
    memory: {
      level: null,
      budgetBytes: null,
      plannedBytes: null,
      footprintBytes: null,
      availableBytes: null,
      swapUsedBytes: null,
      plannedParts: null,
      step: 'normal',
      reason: '1.0 GiB available',
      next: null,
      unknown: {},
    },
    gpu: { usedBytes: null, limitBytes: null, utilisation: null },
    restartWindowMs: 600_000,
    nowMs: 3000,
  }
}

const ready = {
  kind: 'ready',
  runId: 4,
  readyAtMs: 0,
  answeredWell: false,
  badAnswers: 0,
} as const

const ending = {
  kind: 'stopping',
  runId: 1,
  condemned: null,
  because: 'asked',
  unload: null,
  was: ready,
} as const

const states: { state: EngineState; wanted?: 'up' | 'down'; upstream: object; detail: string }[] = [
  {
    state: ready,
    upstream: { kind: 'ready', socketPath: '/run/engine.sock', runId: 4 },
    detail: 'answering',
  },
  {
    state: { kind: 'starting', runId: 1, phase: 'loading', loadProgress: 0.43 },
    upstream: { kind: 'pending', message: 'The model is loading (43 %)', progress: 0.43 },
    detail: 'loading the model, 43 %',
  },
  {
    state: { kind: 'backoff', runId: 1, untilMs: 11_000 },
    upstream: { kind: 'pending', message: 'The engine died; next try in 8 s', progress: null },
    detail: 'next try in 8 s, 3 deaths in 10 min',
  },
  {
    state: {
      kind: 'stopping',
      runId: 1,
      condemned: null,
      because: 'asked',
      unload: null,
      was: ready,
    },
    upstream: { kind: 'pending', message: 'The engine is restarting', progress: null },
    detail: 'finishing open requests, then starting again',
  },
  {
    state: {
      kind: 'stopping',
      runId: 1,
      condemned: null,
      because: 'asked',
      unload: null,
      was: ready,
    },
    wanted: 'down',
    upstream: { kind: 'unavailable' },
    detail: 'stopping, as asked',
  },
  {
    state: { kind: 'down' },
    wanted: 'down',
    upstream: { kind: 'unavailable' },
    detail: 'stopped, as asked',
  },
  {
    state: {
      kind: 'stopping',
      runId: 1,
      condemned: null,
      because: 'asked',
      unload: 'asked',
      was: ready,
    },
    upstream: { kind: 'pending', message: 'The engine is restarting' },
    detail: 'finishing open requests, then unloading the model',
  },
  {
    state: { kind: 'asleep', reason: 'asked' },
    upstream: { kind: 'pending', progress: null },
    detail: 'the model is unloaded; the next request loads it again',
  },
  {
    state: { kind: 'asleep', reason: 'memory' },
    upstream: {
      kind: 'pending',
      message:
        'The machine is too short of memory for the model (1.0 GiB available); it is loaded again once there is room',
    },
    detail:
      'the model is unloaded for want of memory; it is loaded again once there is room (1.0 GiB available)',
  },
  {
    state: { ...ending, unload: 'memory' },
    upstream: { kind: 'pending', message: expect.stringMatching(/^The machine is too short/) },
    detail: 'finishing open requests, then unloading the model for want of memory',
  },
  {
    state: { ...ending, because: 'recycle' },
    upstream: { kind: 'pending', message: 'The engine is restarting, to take less memory' },
    detail: 'finishing open requests, then starting a fresh one that takes less memory',
  },
  {
    state: { ...ending, because: 'context' },
    upstream: { kind: 'pending', message: 'The engine is restarting, with another context' },
    detail: 'finishing open requests, then starting again with another context',
  },
  {
    state: {
      kind: 'refused',
      refusal: { message: 'it needs 20 GiB', hint: 'oss20bd plan', needBytes: 20, haveBytes: 12 },
    },
    upstream: {
      kind: 'unavailable',
      message: 'The engine is not started: it needs 20 GiB',
      hint: 'oss20bd plan',
    },
    detail: 'it needs 20 GiB',
  },
  {
    state: { kind: 'failed', reason: gone, why: 'it is tried again when something changes' },
    upstream: {
      kind: 'unavailable',
      message: 'The engine does not run: Cannot load the model: no file',
      hint: 'oss20bd up',
    },
    detail: 'cannot run: Cannot load the model: no file (it is tried again when something changes)',
  },
]

describe.each(states)(
  'in state $state.kind, wanted $wanted',
  ({ state, wanted, upstream, detail }) => {
    test('requests go through, wait, or are refused with the reason', () => {
      expect(upstreamOf(viewOf(state, wanted), 3000, '1.0 GiB available')).toMatchObject(upstream)
    })

    test('the status says it in words', () => {
      const status = buildStatus(partsOf(viewOf(state, wanted)))
      expect(status.engine).toMatchObject({ state: state.kind, detail, sinceMs: 2000 })
    })
  },
)

test.each([
  [{ kind: 'down' }, 'Start it: oss20bd start'],
  [{ kind: 'failed', reason: gone, why: '' }, 'oss20bd up'],
  [{ kind: 'asleep', reason: 'idle' }, null],
  [{ kind: 'asleep', reason: 'memory' }, 'Close other apps: it is loaded once there is room'],
  [ready, null],
] as const)('what can be done about %j: %s', (state, hint) => {
  expect(buildStatus(partsOf(viewOf(state))).engine.hint).toBe(hint)
})

test('a context that is smaller for want of room is told', () => {
  const view = viewOf(ready)
  const life = { ...view.life, headroomHalvings: 1 }
  expect(buildStatus(partsOf({ ...view, life })).engine.detail).toBe(
    'answering with a smaller context, to spare memory',
  )
})

test('unknown stays unknown, and counts are taken over', () => {
  const status = buildStatus(partsOf(viewOf({ kind: 'down' })))
  expect(status.memory.footprintBytes).toBeNull()
  expect(status.throughput.generatedTokensPerSecond).toBeNull()
  expect(status.daemon.uptimeMs).toBe(2500)
  expect(status.proxy).toMatchObject({ inFlight: 1, held: 2, failed: 3 })
})

test('the last exit carries its cause, its words and its time', () => {
  const view = viewOf({ kind: 'down' })
  const life = { ...view.life, lastExit: { runId: 1, reason: gone, atEpochMs: 0 } }
  expect(buildStatus(partsOf({ ...view, life })).engine.lastExit).toEqual({
    cause: 'model-missing',
    message: gone.message,
    hint: gone.hint,
    at: '1970-01-01T00:00:00.000Z',
  })
})

test('safe mode, speed and the last stop are told', () => {
  const view = viewOf(ready)
  const life = { ...view.life, profile: { safeMode: true, contextHalvings: 0 } }
  const counters = {
    requestsProcessing: 0,
    requestsWaiting: 0,
    workSteps: 9,
    promptTokens: 100,
    promptSeconds: 2,
    generatedTokens: 30,
    generatedSeconds: 0,
  }
  const lastStop = { runId: 4, atEpochMs: 0, unfinished: 2, endedBy: 'SIGKILL', tookMs: 5 } as const
  const status = buildStatus(partsOf({ ...view, life, counters, lastStop }))
  expect(status.engine).toMatchObject({
    safeMode: true,
    deaths: 3,
    detail: 'answering in safe mode after 3 deaths in 10 min',
    lastStop: { at: '1970-01-01T00:00:00.000Z', unfinished: 2, endedBy: 'SIGKILL', tookMs: 5 },
  })
  expect(status.throughput).toEqual({
    generatedTokensPerSecond: null,
    promptTokensPerSecond: 50,
  })
})
