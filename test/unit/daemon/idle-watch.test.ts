import { expect, onTestFinished, test } from 'vitest'
import { createAwakeClock } from '../../../src/awake-clock.ts'
import { createIdleWatch, type IdleWatch, unloadAfterMs } from '../../../src/daemon/idle-watch.ts'
import type { NewJournalEvent } from '../../../src/journal.ts'
import { type EngineState, initialLifecycle } from '../../../src/supervisor/engine-state.ts'
import type { SupervisorView } from '../../../src/supervisor/supervisor-options.ts'
import { FakeClock, settle } from '../../helpers/fake-clock.ts'

const minuteMs = 60_000
const ready: EngineState = {
  kind: 'ready',
  runId: 1,
  readyAtMs: 0,
  answeredWell: false,
  badAnswers: 0,
}

/** An engine that is what the test says, watched with 30 minutes of patience. */
function scene(changes: { afterMs?: () => number | null } = {}) {
  const base = new FakeClock()
  const ending = new AbortController()
  onTestFinished(() => ending.abort())
  const clock = createAwakeClock(base, { gapMs: minuteMs, tickMs: 5000, onWake: () => undefined })
  void clock.run(ending.signal)
  const listeners = new Set<() => void>()
  let view = viewOf(ready, clock.monotonicMs())
  const told: NewJournalEvent[] = []
  const become = async (state: EngineState): Promise<void> => {
    view = viewOf(state, clock.monotonicMs())
    for (const listener of listeners) listener()
    await settle()
  }
  let unloads = 0
  const watch: IdleWatch = createIdleWatch({
    clock,
    unloadAfterMs: changes.afterMs ?? (() => 30 * minuteMs),
    journal: (event) => told.push(event),
    supervisor: {
      view: () => view,
      unload: () => {
        unloads += 1
        void become({ kind: 'asleep', reason: 'idle' })
      },
      changed: (signal) =>
        new Promise((resolve, reject) => {
          listeners.add(resolve)
          signal.addEventListener('abort', () => {
            listeners.delete(resolve)
            reject(new Error('aborted'))
          })
        }),
    },
  })
  void watch.run(ending.signal)
  return { base, watch, told, become, unloads: () => unloads }
}

function viewOf(state: EngineState, sinceMs: number): SupervisorView {
  return {
    life: { ...initialLifecycle, wanted: 'up', state },
    sinceMs,
    enginePid: 1,
    engineFile: null,
    socketPath: null,
    counters: null,
    lastStop: null,
  }
}

test('a ready engine that nobody asks is unloaded once its time is over, and that is told', async () => {
  const { base, unloads, told } = scene()
  await base.advance(30 * minuteMs - 1000)
  expect(unloads()).toBe(0)
  await base.advance(1000)
  expect(unloads()).toBe(1)
  expect(told).toEqual([
    {
      kind: 'memory',
      message: 'Nobody has asked anything for 30 min: the model is unloaded until a request comes',
      facts: { action: 'unload', because: 'idle', idleMs: 30 * minuteMs },
    },
  ])
})

test('the time counts from the end of the last request', async () => {
  const { base, watch, unloads } = scene()
  await base.advance(29 * minuteMs)
  watch.busy(true)
  await base.advance(90 * minuteMs)
  expect(unloads()).toBe(0)
  watch.busy(false)
  await base.advance(29 * minuteMs)
  expect(unloads()).toBe(0)
  await base.advance(2 * minuteMs)
  expect(unloads()).toBe(1)
})

test('the time asleep does not count', async () => {
  const { base, unloads } = scene()
  await base.advance(20 * minuteMs)
  base.standStill(8 * 60 * minuteMs)
  await base.advance(9 * minuteMs)
  expect(unloads()).toBe(0)
  await base.advance(2 * minuteMs)
  expect(unloads()).toBe(1)
})

test('an engine that loads or sleeps is left alone, and its time begins when it is ready', async () => {
  const { base, become, unloads } = scene()
  await become({ kind: 'starting', runId: 2, phase: 'loading', loadProgress: null })
  await base.advance(90 * minuteMs)
  await become(ready)
  await base.advance(29 * minuteMs)
  expect(unloads()).toBe(0)
  await base.advance(minuteMs)
  expect(unloads()).toBe(1)
  await base.advance(90 * minuteMs)
  expect(unloads()).toBe(1)
})

test('another setting is followed from the next change of the engine on', async () => {
  let afterMs: number | null = null
  const { base, become, unloads } = scene({ afterMs: () => afterMs })
  await base.advance(24 * 60 * minuteMs)
  expect(unloads()).toBe(0)
  afterMs = minuteMs
  await become(ready)
  await base.advance(minuteMs)
  expect(unloads()).toBe(1)
})

test.each([
  ['auto', 16, 30 * minuteMs],
  ['auto', 36, 30 * minuteMs],
  ['auto', 48, null],
  ['off', 16, null],
  [5000, 128, 5000],
] as const)('idle.unloadAfter %s on a machine with %d GiB is %s', (setting, gib, expected) => {
  expect(unloadAfterMs(setting, gib * 2 ** 30)).toBe(expected)
})
