/** Random histories of the engine's life, against a model that knows only what must hold. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ExitReason } from '../../../src/engine.ts'
import {
  initialLifecycle,
  type Effect,
  type Lifecycle,
  type LifecycleEvent,
  runProfile,
} from '../../../src/supervisor/engine-state.ts'
import { advance } from '../../../src/supervisor/lifecycle.ts'

const settings = {
  baseDelayMs: 1000,
  maxDelayMs: 60_000,
  windowMs: 600_000,
  safeModeAfter: 3,
  giveUpAfter: 2,
  maxContextHalvings: 2,
}
const crash: ExitReason = { cause: 'signal', permanent: false, message: 'killed', hint: null }
const missing: ExitReason = { cause: 'model-missing', permanent: true, message: 'gone', hint: null }
const noGpu: ExitReason = { ...crash, cause: 'gpu-out-of-memory' }
const refusal = { message: 'too big', hint: null, needBytes: 2, haveBytes: 1 }
const states = 'down starting ready stopping backoff asleep refused failed'.split(' ')

/** What must hold, whatever the lifecycle thinks. */
interface Model {
  wanted: 'up' | 'down'
  /** Runs that were spawned and have neither exited nor been refused. */
  readonly live: Set<number>
  /** Runs that a process has spoken for: those are beyond being refused. */
  readonly heard: Set<number>
  nowMs: number
}

interface World {
  life: Lifecycle
  /** The effects not yet answered by an event. */
  pending: Effect[]
}

class Happen implements fc.Command<Model, World> {
  readonly #event: LifecycleEvent
  readonly #afterMs: number

  constructor(event: LifecycleEvent, afterMs: number) {
    this.#event = event
    this.#afterMs = afterMs
  }

  /** Only a process that lives can exit, and only before there is one it can be refused. */
  check({ live, heard }: Readonly<Model>): boolean {
    const event = this.#event
    if (event.kind === 'refused' || event.kind === 'no-room') {
      return live.has(event.runId) && !heard.has(event.runId)
    }
    return event.kind !== 'exited' || live.has(event.runId)
  }

  run(model: Model, world: World): void {
    const event = this.#event
    model.nowMs += this.#afterMs
    if (event.kind === 'start' || event.kind === 'restart') model.wanted = 'up'
    if (event.kind === 'stop') model.wanted = 'down'
    const isOver = ['exited', 'refused', 'no-room'].includes(event.kind)
    if (isOver && 'runId' in event) model.live.delete(event.runId)
    else if ('runId' in event) model.heard.add(event.runId)
    step(model, world, event)
  }

  toString(): string {
    return JSON.stringify(this.#event)
  }
}

/** What gives memory back or takes it again: never a death, and no reason to forget one. */
const aboutMemory = new Set<string>('unload wake load recycle context room'.split(' '))

function step(model: Model, world: World, event: LifecycleEvent): void {
  const before = world.life
  const { next, effects } = advance(before, event, model.nowMs, settings)
  const isUnchanged = next.deaths === before.deaths && next.profile === before.profile
  expect(isUnchanged || !aboutMemory.has(event.kind)).toBe(true)
  // What memory has no room for does not begin because somebody asks something.
  const { state } = before
  const isBarred = state.kind === 'asleep' && state.reason === 'memory'
  expect(isBarred && event.kind === 'wake' ? effects : []).toEqual([])
  for (const effect of effects) if (effect.kind === 'spawn') model.live.add(effect.runId)
  world.life = next
  world.pending = [...world.pending, ...effects]
  holds(model, world.life)
}

function holds(model: Model, life: Lifecycle): void {
  const { state } = life
  expect(states).toContain(state.kind)
  expect(life.wanted).toBe(model.wanted)
  const alive = state.kind === 'starting' || state.kind === 'ready' || state.kind === 'stopping'
  expect([...model.live]).toEqual(alive ? [state.runId] : [])
  expect(runProfile(life).contextHalvings).toBeLessThanOrEqual(settings.maxContextHalvings)
  // Down is where the user wanted it; everything else but the way there is not.
  expect(state.kind === 'down' ? life.wanted : 'down').toBe('down')
  expect(life.wanted === 'down' ? ['down', 'stopping'] : states).toContain(state.kind)
}

/** The world does what it was asked to, until nothing is left to do. */
function settle(model: Model, world: World): void {
  for (let turns = 0; turns < 50; turns += 1) {
    const [effect, ...rest] = world.pending
    if (effect === undefined) return
    world.pending = rest
    model.nowMs += 1
    for (const event of answersTo(effect)) {
      if (event.kind === 'exited' && !model.live.delete(event.runId)) continue
      step(model, world, event)
    }
  }
  throw new Error('it does not come to rest')
}

function answersTo(effect: Effect): LifecycleEvent[] {
  switch (effect.kind) {
    case 'spawn':
      return [{ kind: 'loaded', runId: effect.runId }]
    case 'check':
      return [{ kind: 'check-passed', runId: effect.runId }]
    case 'wait':
      return [{ kind: 'backoff-over', runId: effect.runId }]
    case 'watch':
      return []
    case 'kill':
    case 'stop':
      return [exitOf(effect.runId, crash, 0.5)]
  }
}

function exitOf(runId: number, reason: ExitReason, jitter: number): LifecycleEvent {
  const exit = { pid: 1, exitCode: null, signal: 'SIGKILL', ranMs: 5, lastLines: [] }
  return { kind: 'exited', runId, reason, atEpochMs: 1, jitter, exit }
}

const runIds = fc.integer({ min: 1, max: 8 })
const jitters = fc.double({ min: 0, max: 1, noNaN: true })
const reasons = fc.constantFrom(crash, missing, noGpu)
const eventKinds: fc.Arbitrary<LifecycleEvent>[] = [
  fc.constantFrom<LifecycleEvent>(
    { kind: 'start' },
    { kind: 'restart' },
    { kind: 'stop' },
    { kind: 'unload', reason: 'asked' },
    { kind: 'unload', reason: 'idle' },
    { kind: 'unload', reason: 'memory' },
    { kind: 'wake' },
    { kind: 'load' },
    { kind: 'recycle' },
    { kind: 'context', halvings: 0 },
    { kind: 'context', halvings: 1 },
    { kind: 'context', halvings: 3 },
    { kind: 'room' },
    { kind: 'changed' },
  ),
  fc.record({
    kind: fc.constantFrom('loaded', 'check-passed', 'backoff-over', 'good-answer'),
    runId: runIds,
  }),
  fc.record({ kind: fc.constant('load-progress'), runId: runIds, value: jitters }),
  fc.record({ kind: fc.constantFrom('condemned', 'bad-answer'), runId: runIds, reason: reasons }),
  fc.record({ kind: fc.constant('refused'), runId: runIds, refusal: fc.constant(refusal) }),
  fc.record({ kind: fc.constant('no-room'), runId: runIds }),
  fc.record({
    kind: fc.constant('explained'),
    runId: runIds,
    reason: reasons,
    evidence: fc.constant([]),
  }),
  fc
    .tuple(runIds, reasons, jitters)
    .map(([runId, reason, jitter]) => exitOf(runId, reason, jitter)),
]
const happenings = fc
  .tuple(fc.oneof(...eventKinds), fc.constantFrom(0, 10, 5000, 700_000))
  .map(([event, afterMs]) => new Happen(event, afterMs))

function fresh(): { model: Model; real: World } {
  return {
    model: { wanted: 'down', live: new Set(), heard: new Set(), nowMs: 0 },
    real: { life: initialLifecycle, pending: [] },
  }
}

test('no history reaches an impossible state, starts two engines or loses what was wanted', () => {
  fc.assert(
    fc.property(fc.commands([happenings], { maxCommands: 80 }), (commands) => {
      const { model, real } = fresh()
      fc.modelRun(() => ({ model, real }), commands)
      expect(real.life.wanted).toBe(model.wanted)
    }),
    { numRuns: 1000 },
  )
}, 60_000)

test('every history ends where what is wanted and the policy say, once the world obeys', () => {
  fc.assert(
    fc.property(fc.commands([happenings], { maxCommands: 60 }), (commands) => {
      const { model, real } = fresh()
      fc.modelRun(() => ({ model, real }), commands)
      settle(model, real)
      const { state, wanted } = real.life
      const ends = wanted === 'down' ? ['down'] : ['ready', 'asleep', 'refused', 'failed']
      expect(ends).toContain(state.kind)
      expect(state.kind === 'failed' ? state.why : 'it has a reason').not.toBe('')
      // Once there is room and somebody asks, nothing but a fault keeps it down.
      step(model, real, { kind: 'room' })
      settle(model, real)
      step(model, real, { kind: 'wake' })
      settle(model, real)
      expect(wanted === 'down' ? ['down'] : ['ready', 'failed']).toContain(real.life.state.kind)
      // And from there, a restart always brings it up.
      step({ ...model, wanted: 'up' }, real, { kind: 'restart' })
      model.wanted = 'up'
      settle(model, real)
      expect(real.life.state.kind).toBe('ready')
    }),
    { numRuns: 1000 },
  )
}, 60_000)
