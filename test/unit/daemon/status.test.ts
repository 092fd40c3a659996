import { describe, expect, test } from 'vitest'
import { buildStatus, type StatusParts } from '../../../src/daemon/status.ts'
import { upstreamOf } from '../../../src/daemon/engine-upstream.ts'
import type { ExitReason } from '../../../src/engine.ts'
import { initialLifecycle, type EngineState } from '../../../src/supervisor/lifecycle.ts'
import type { SupervisorView } from '../../../src/supervisor/supervisor.ts'

const gone: ExitReason = {
  cause: 'model-missing',
  permanent: true,
  message: 'Cannot load the model: no file',
  hint: 'oss20bd up',
}

function viewOf(state: EngineState, wanted: 'up' | 'down' = 'up'): SupervisorView {
  return {
    life: { ...initialLifecycle, state, wanted, deathsAtMs: [1, 2, 3] },
    sinceMs: 1000,
    enginePid: null,
    engineFile: null,
    socketPath: '/run/engine.sock',
  }
}

function partsOf(view: SupervisorView): StatusParts {
  return {
    daemon: { pid: 7, version: '1.0.0', home: '/home', logs: '/logs', startedAtMs: 500 },
    view,
    engine: { path: '/engine', version: null },
    model: { name: 'm', path: '/m', testModel: true, contextTokens: 8192, slots: 1 },
    proxy: {
      url: 'http://127.0.0.1:8020',
      counts: { inFlight: 1, queued: 0, held: 2, replayed: 0, failed: 3, served: 4 },
    },
    memory: {
      level: null,
      budgetBytes: null,
      plannedBytes: null,
      footprintBytes: null,
      availableBytes: null,
    },
    restartWindowMs: 600_000,
    nowMs: 3000,
  }
}

const states: { state: EngineState; wanted?: 'up' | 'down'; upstream: object; detail: string }[] = [
  {
    state: { kind: 'ready', runId: 4, readyAtMs: 0 },
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
    upstream: { kind: 'pending', message: 'The engine died; next try in 8.0 s', progress: null },
    detail: 'next try in 8.0 s, 3 deaths in 10 min 0 s',
  },
  {
    state: { kind: 'stopping', runId: 1, condemned: null },
    upstream: { kind: 'pending', message: 'The engine is restarting', progress: null },
    detail: 'finishing open requests, then starting again',
  },
  {
    state: { kind: 'stopping', runId: 1, condemned: null },
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
    state: { kind: 'failed', reason: gone, why: 'trying again would end the same way' },
    upstream: {
      kind: 'unavailable',
      message: 'The engine does not run: Cannot load the model: no file',
      hint: 'oss20bd up',
    },
    detail: 'gave up: Cannot load the model: no file (trying again would end the same way)',
  },
]

describe.each(states)(
  'in state $state.kind, wanted $wanted',
  ({ state, wanted, upstream, detail }) => {
    test('requests go through, wait, or are refused with the reason', () => {
      expect(upstreamOf(viewOf(state, wanted), 3000)).toMatchObject(upstream)
    })

    test('the status says it in words', () => {
      const status = buildStatus(partsOf(viewOf(state, wanted)))
      expect(status.engine).toMatchObject({ state: state.kind, detail, sinceMs: 2000 })
    })
  },
)

test('unknown stays unknown, and counts are taken over', () => {
  const status = buildStatus(partsOf(viewOf({ kind: 'down' })))
  expect(status.memory.footprintBytes).toBeNull()
  expect(status.throughput.generatedTokensPerSecond).toBeNull()
  expect(status.daemon.uptimeMs).toBe(2500)
  expect(status.proxy).toMatchObject({ inFlight: 1, held: 2, failed: 3 })
})

test('the last exit carries its cause, its words and its time', () => {
  const view = viewOf({ kind: 'down' })
  const life = { ...view.life, lastExit: { reason: gone, atEpochMs: 0 } }
  expect(buildStatus(partsOf({ ...view, life })).engine.lastExit).toEqual({
    cause: 'model-missing',
    message: gone.message,
    hint: gone.hint,
    at: '1970-01-01T00:00:00.000Z',
  })
})
