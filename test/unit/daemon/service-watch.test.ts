import { EventEmitter, once } from 'node:events'
import { expect, test } from 'vitest'
import { createServiceWatch, type ServiceWatch } from '../../../src/daemon/service-watch.ts'
import type { ServiceMessage, ServiceNotify } from '../../../src/host/service-notify.ts'
import type { EngineState } from '../../../src/supervisor/engine-state.ts'
import { initialLifecycle } from '../../../src/supervisor/engine-state.ts'
import type { SupervisorView } from '../../../src/supervisor/supervisor-options.ts'
import { FakeClock, settle } from '../../helpers/fake-clock.ts'
import { RecordingLogger } from '../../helpers/recording-logger.ts'

const stopLimitMs = 42_000

interface Rig {
  readonly watch: ServiceWatch
  readonly clock: FakeClock
  readonly log: RecordingLogger
  /** What was told since the last look; a status as its text. */
  readonly told: () => readonly string[]
  readonly become: (state: EngineState, lastStop?: SupervisorView['lastStop']) => Promise<void>
  readonly isClosed: () => boolean
}

function rig(watchdogMs: number | null = 60_000): Rig {
  const clock = new FakeClock()
  const log = new RecordingLogger()
  let told: ServiceMessage[] = []
  let closed = false
  const notify: ServiceNotify = {
    watchdogMs,
    tell: (...messages) => void told.push(...messages),
    close: async () => void (closed = true),
  }
  const changes = new EventEmitter()
  let view: SupervisorView = {
    life: { ...initialLifecycle, wanted: 'up' },
    sinceMs: 0,
    enginePid: null,
    engineFile: null,
    socketPath: null,
    counters: null,
    lastStop: null,
  }
  const watch = createServiceWatch({
    notify,
    supervisor: {
      view: () => view,
      changed: async (signal) => void (await once(changes, 'change', { signal })),
    },
    stopLimitMs,
    restartWindowMs: 600_000,
    clock,
    awakeMs: () => clock.monotonicMs(),
    log,
  })
  return {
    watch,
    clock,
    log,
    told: () => {
      const words = told.map((one) => (one.kind === 'status' ? one.text : one.kind))
      told = []
      return words
    },
    become: async (state, lastStop = null) => {
      view = { ...view, life: { ...view.life, state }, sinceMs: clock.monotonicMs(), lastStop }
      changes.emit('change')
      await settle()
    },
    isClosed: () => closed,
  }
}

const loading = (loadProgress: number): EngineState => ({
  kind: 'starting',
  runId: 1,
  phase: 'loading',
  loadProgress,
})
const stopping: EngineState = {
  kind: 'stopping',
  runId: 1,
  condemned: null,
  because: 'asked',
  unload: null,
  was: null,
}

test('the service is ready as soon as the port listens, and says how far the engine is', async () => {
  const { watch, told, become } = rig()
  watch.ready()
  expect(told()).toEqual(['ready', 'alive', 'down: stopped, as asked'])
  await become(loading(0.421))
  await become(loading(0.423))
  await become(loading(0.43))
  expect(told()).toEqual(['starting: loading the model, 42 %', 'starting: loading the model, 43 %'])
  await watch.close()
})

test('it gives a sign of life at least three times in the time of the watchdog', async () => {
  const { watch, clock, told } = rig(6000)
  watch.ready()
  told()
  await clock.advance(6000)
  expect(told()).toEqual(['alive', 'alive', 'alive'])
  await watch.close()
})

test('where nobody watches there are no signs of life', async () => {
  const { watch, clock, told } = rig(null)
  watch.ready()
  await clock.advance(60_000)
  expect(told()).toEqual(['ready', 'down: stopped, as asked'])
  await watch.close()
})

test('it gives none any more when the stop of the engine outlasts every grace', async () => {
  const { watch, clock, log, told, become } = rig()
  watch.ready()
  await become(stopping)
  await clock.advance(stopLimitMs + 30_000)
  expect(told()).toContain('alive')
  await clock.advance(60_000)
  expect(told()).toEqual([])
  expect(log.messages('error')).toHaveLength(1)
  await become({ kind: 'down' })
  await clock.advance(10_000)
  expect(told()).toContain('alive')
  await watch.close()
})

test('an engine that hangs within the system is no reason to end the daemon', async () => {
  const { watch, clock, told, become } = rig()
  watch.ready()
  await become(stopping, {
    runId: 1,
    atEpochMs: 0,
    unfinished: 0,
    endedBy: 'stuck',
    tookMs: 50_000,
  })
  await clock.advance(600_000)
  told()
  await clock.advance(10_000)
  expect(told()).toEqual(['alive'])
  await watch.close()
})

test('while the daemon ends it asks for time, for as long as its graces last', async () => {
  const { watch, clock, told, isClosed } = rig()
  watch.ready()
  told()
  watch.stopping()
  expect(told()).toEqual(['stopping', 'more-time'])
  await clock.advance(70_000)
  expect(told()).toEqual(Array.from({ length: 7 }, () => 'more-time'))
  await clock.advance(60_000)
  expect(told()).toEqual([])
  await watch.close()
  expect(isClosed()).toBe(true)
  expect(clock.sleeping).toBe(0)
})
