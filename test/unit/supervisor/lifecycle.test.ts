import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ExitReason } from '../../../src/engine.ts'
import {
  advance,
  initialLifecycle,
  type Effect,
  type Lifecycle,
  type LifecycleEvent,
} from '../../../src/supervisor/lifecycle.ts'

const settings = { baseDelayMs: 1000, maxDelayMs: 60_000, windowMs: 600_000, maxDeaths: 8 }
const crash: ExitReason = { cause: 'signal', permanent: false, message: 'killed', hint: null }
const missing: ExitReason = { cause: 'model-missing', permanent: true, message: 'gone', hint: null }

function exited(runId: number, reason: ExitReason = crash): LifecycleEvent {
  return { kind: 'exited', runId, reason, atEpochMs: 1, jitter: 0.5 }
}

/** Plays events a second apart and keeps the effects of the last. */
function play(...events: LifecycleEvent[]): { life: Lifecycle; effects: readonly Effect[] } {
  let life = initialLifecycle
  let effects: readonly Effect[] = []
  for (const [index, event] of events.entries()) {
    const step = advance(life, event, index * 1000, settings)
    life = step.next
    effects = step.effects
  }
  return { life, effects }
}

const up: LifecycleEvent[] = [
  { kind: 'start' },
  { kind: 'loaded', runId: 1 },
  { kind: 'answered', runId: 1 },
]

describe('lifecycle', () => {
  test('a start spawns a run, which is ready once it has loaded and answered', () => {
    expect(play({ kind: 'start' }).effects).toEqual([{ kind: 'spawn', runId: 1 }])
    expect(play(...up.slice(0, 2)).effects).toEqual([{ kind: 'check', runId: 1 }])
    expect(play(...up).life.state).toEqual({ kind: 'ready', runId: 1, readyAtMs: 2000 })
  })

  test('the first crash is followed by a new run at once', () => {
    const { life, effects } = play(...up, exited(1))
    expect(life.state).toMatchObject({ kind: 'starting', runId: 2 })
    expect(life.restarts).toBe(1)
    expect(effects).toEqual([{ kind: 'spawn', runId: 2 }])
  })

  test('the second crash in a row waits', () => {
    const { life, effects } = play(...up, exited(1), exited(2))
    expect(life.state).toMatchObject({ kind: 'backoff', untilMs: 5000 })
    expect(effects).toEqual([{ kind: 'wait', runId: 2, delayMs: 1000 }])
  })

  test('a crash after a long good run is a first crash again', () => {
    const before = play(...up, exited(1)).life
    const ready = [
      { kind: 'loaded', runId: 2 },
      { kind: 'answered', runId: 2 },
    ] as const
    const well = ready.reduce((life, event) => advance(life, event, 5000, settings).next, before)
    const { next } = advance(well, exited(2), 5000 + settings.windowMs, settings)
    expect(next.state).toMatchObject({ kind: 'starting', runId: 3 })
    expect(next.deathsAtMs).toHaveLength(1)
  })

  test('a permanent cause fails at once, and a restart by the user tries again', () => {
    const { life } = play({ kind: 'start' }, exited(1, missing))
    expect(life.state).toMatchObject({ kind: 'failed', reason: missing })
    expect(advance(life, { kind: 'restart' }, 9000, settings).effects).toEqual([
      { kind: 'spawn', runId: 2 },
    ])
  })

  test('a stop of a ready engine is polite, of a loading one it is not', () => {
    expect(play(...up, { kind: 'stop' }).effects).toEqual([
      { kind: 'stop', runId: 1, polite: true },
    ])
    expect(play({ kind: 'start' }, { kind: 'stop' }).effects).toEqual([
      { kind: 'stop', runId: 1, polite: false },
    ])
  })

  test('a start during a stop is remembered and begins when the old run has ended', () => {
    const { life, effects } = play(...up, { kind: 'stop' }, { kind: 'start' }, exited(1))
    expect(life.state).toMatchObject({ kind: 'starting', runId: 2 })
    expect(life.lastExit?.reason.cause).toBe('asked')
    expect(effects).toEqual([{ kind: 'spawn', runId: 2 }])
  })

  test('ten restarts in a row stop the engine once', () => {
    let life = play(...up).life
    let stops = 0
    for (let index = 0; index < 10; index += 1) {
      const step = advance(life, { kind: 'restart' }, 9000, settings)
      life = step.next
      stops += step.effects.length
    }
    expect(stops).toBe(1)
  })

  test('a condemned run is killed and counts as a death for that reason', () => {
    const hang: ExitReason = { cause: 'hang', permanent: false, message: 'no answer', hint: null }
    const condemned: LifecycleEvent = { kind: 'condemned', runId: 1, reason: hang }
    expect(play(...up, condemned).effects).toEqual([{ kind: 'kill', runId: 1 }])
    const { life } = play(...up, condemned, exited(1))
    expect(life.lastExit?.reason).toEqual(hang)
    expect(life.deathsAtMs).toHaveLength(1)
  })

  test('events of an older run change nothing', () => {
    const { life } = play(...up, exited(1))
    for (const event of [...up.slice(1), exited(1)]) {
      expect(advance(life, event, 9000, settings).next).toBe(life)
    }
  })
})

const eventOf = (runId: fc.Arbitrary<number>): fc.Arbitrary<LifecycleEvent> =>
  fc.oneof(
    fc.constantFrom<LifecycleEvent>({ kind: 'start' }, { kind: 'restart' }, { kind: 'stop' }),
    fc.record({ kind: fc.constantFrom('loaded', 'answered', 'backoff-over'), runId }),
    fc.record({ kind: fc.constant('condemned'), runId, reason: fc.constant(crash) }),
    fc.record({
      kind: fc.constant('exited'),
      runId,
      reason: fc.constantFrom(crash, missing),
      atEpochMs: fc.constant(1),
      jitter: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  )

/** The runs that a state says are alive. */
function liveRunsOf({ state }: Lifecycle): number[] {
  const alive = state.kind === 'ready' || state.kind === 'starting' || state.kind === 'stopping'
  return alive ? [state.runId] : []
}

test('whatever happens, there is at most one live run and wanted is what was asked last', () => {
  fc.assert(
    fc.property(fc.array(eventOf(fc.integer({ min: 1, max: 6 })), { maxLength: 60 }), (events) => {
      let life = initialLifecycle
      let wanted = 'down'
      const live = new Set<number>()
      for (const [index, event] of events.entries()) {
        if (event.kind === 'exited' && !live.delete(event.runId)) continue
        const { next, effects } = advance(life, event, index * 1000, settings)
        if (event.kind === 'start' || event.kind === 'restart') wanted = 'up'
        if (event.kind === 'stop') wanted = 'down'
        for (const effect of effects) if (effect.kind === 'spawn') live.add(effect.runId)
        life = next
        expect(life.wanted).toBe(wanted)
        expect(live.size).toBeLessThanOrEqual(1)
        expect([...live]).toEqual(liveRunsOf(life))
        expect(life.state.kind === 'down' && wanted === 'up').toBe(false)
      }
    }),
    { numRuns: 2000 },
  )
})
