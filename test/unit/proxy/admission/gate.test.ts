import { getEventListeners } from 'node:events'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Admitted,
  createGate,
  type Entry,
  type Gate,
  type GateOptions,
  type Slots,
} from '../../../../src/proxy/admission/gate.ts'
import { FakeClock } from '../../../helpers/fake-clock.ts'

function gateOf(changes: Partial<GateOptions> = {}) {
  const clock = new FakeClock()
  const gate = createGate({ slots: 1, maxQueued: 3, maxQueuedBytes: 100, clock, ...changes })
  return { clock, gate }
}

const stays = (): AbortSignal => new AbortController().signal

async function inGate(gate: Gate, client = 'a'): Promise<Admitted> {
  const entry = await gate.enter({ client, bytes: 1 }, stays())
  if (entry.kind !== 'in') throw new Error(entry.message)
  return entry
}

/** An entry, as soon as there is one. */
function watch(entering: Promise<Entry>): { entry: Entry | undefined; error: unknown } {
  const seen: { entry: Entry | undefined; error: unknown } = { entry: undefined, error: undefined }
  void (async () => {
    try {
      seen.entry = await entering
    } catch (error) {
      seen.error = error
    }
  })()
  return seen
}

/** Settled promises reach those who await them. */
async function tick(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await Promise.resolve()
}

const enter = (gate: Gate, client: string, bytes = 1) =>
  watch(gate.enter({ client, bytes }, stays()))

describe('a free slot', () => {
  test('lets in with the next microtask, and listens to nothing', async () => {
    const { gate } = gateOf()
    const signal = stays()
    const seen = watch(gate.enter({ client: 'a', bytes: 1 }, signal))
    await Promise.resolve()
    expect(seen.entry).toMatchObject({ kind: 'in', waitedMs: 0 })
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
    expect(gate.counts()).toEqual({ running: 1, queued: 0, queuedBytes: 0 })
  })

  test('is given to the next one waiting, who is told how long it was', async () => {
    const { gate, clock } = gateOf()
    const first = await inGate(gate)
    const signal = stays()
    const second = watch(gate.enter({ client: 'b', bytes: 7 }, signal))
    await clock.advance(250)
    expect(second.entry).toBeUndefined()
    expect(gate.counts()).toEqual({ running: 1, queued: 1, queuedBytes: 7 })
    first.release()
    await tick()
    expect(second.entry).toMatchObject({ kind: 'in', waitedMs: 250 })
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
    expect(gate.counts()).toEqual({ running: 1, queued: 0, queuedBytes: 0 })
  })

  test('is freed once, however often it is released', async () => {
    const { gate } = gateOf()
    const first = await inGate(gate)
    const second = enter(gate, 'b')
    const third = enter(gate, 'c')
    first.release()
    first.release()
    await tick()
    expect(second.entry?.kind).toBe('in')
    expect(third.entry).toBeUndefined()
    expect(gate.counts().running).toBe(1)
  })
})

describe('a client that leaves', () => {
  test('is forgotten at once', async () => {
    const { gate } = gateOf()
    const first = await inGate(gate)
    const gone = new AbortController()
    const leaving = watch(gate.enter({ client: 'b', bytes: 50 }, gone.signal))
    const next = enter(gate, 'c')
    gone.abort()
    expect(gate.counts()).toEqual({ running: 1, queued: 1, queuedBytes: 1 })
    await tick()
    expect(leaving.error).toMatchObject({ name: 'AbortError' })
    first.release()
    await tick()
    expect(next.entry?.kind).toBe('in')
  })

  test('before it came takes nothing', async () => {
    const { gate } = gateOf()
    const seen = watch(gate.enter({ client: 'b', bytes: 50 }, AbortSignal.abort()))
    await tick()
    expect(seen.error).toMatchObject({ name: 'AbortError' })
    expect(gate.counts().running).toBe(0)
  })

  test('just when it was let in has the slot, and gives it back', async () => {
    const { gate } = gateOf()
    const first = await inGate(gate)
    const gone = new AbortController()
    const entering = gate.enter({ client: 'b', bytes: 1 }, gone.signal)
    first.release()
    gone.abort()
    const entry = await entering
    expect(gate.counts().running).toBe(1)
    if (entry.kind === 'in') entry.release()
    expect(gate.counts().running).toBe(0)
  })
})

describe('the number of slots', () => {
  test('may fall below what runs: the next goes in when enough have left', async () => {
    const { gate } = gateOf({ slots: 3 })
    const running = [await inGate(gate), await inGate(gate), await inGate(gate)]
    const waiting = enter(gate, 'b')
    gate.setSlots(1)
    running[0]!.release()
    running[1]!.release()
    await tick()
    expect(waiting.entry).toBeUndefined()
    running[2]!.release()
    await tick()
    expect(waiting.entry?.kind).toBe('in')
  })

  test('may rise: as many go in', async () => {
    const { gate } = gateOf()
    await inGate(gate)
    const seen = ['b', 'c', 'd'].map((client) => enter(gate, client))
    gate.setSlots(3)
    await tick()
    expect(seen.map(({ entry }) => entry?.kind)).toEqual(['in', 'in', undefined])
  })

  test('may be unknown: all go in', async () => {
    const { gate } = gateOf()
    await inGate(gate)
    const seen = ['b', 'c', 'd'].map((client) => enter(gate, client))
    gate.setSlots(null)
    await tick()
    expect(seen.map(({ entry }) => entry?.kind)).toEqual(['in', 'in', 'in'])
    await inGate(gate)
    expect(gate.counts().running).toBe(5)
  })
})

describe('a full queue', () => {
  test('refuses in words, with a time to come again', async () => {
    const { gate, clock } = gateOf()
    const first = await inGate(gate)
    await clock.advance(8200)
    first.release()
    await inGate(gate)
    for (let count = 0; count < 3; count += 1) enter(gate, 'a')
    const refused = enter(gate, 'a')
    await tick()
    expect(refused.entry).toEqual({
      kind: 'refused',
      message:
        'Cannot take the request: every slot of the engine is busy, and 3 requests wait already, at most 3 may',
      hint: 'try again in 9 s; oss20bd status shows who waits',
      retryAfterS: 9,
    })
  })

  test('of bytes says so', async () => {
    const { gate } = gateOf()
    await inGate(gate)
    enter(gate, 'a', 60)
    const refused = enter(gate, 'a', 41)
    await tick()
    expect(refused.entry).toMatchObject({
      message:
        'Cannot take the request: every slot of the engine is busy, and waiting requests keep 60 B already, with the 41 B of this one it would be more than the 100 B they may',
    })
  })

  test('gives a place to a client with none waiting; who loses his is told', async () => {
    const { gate } = gateOf()
    await inGate(gate)
    const greedy = [enter(gate, 'a'), enter(gate, 'a'), enter(gate, 'a')]
    const other = enter(gate, 'b')
    await tick()
    expect(greedy.map(({ entry }) => entry?.kind)).toEqual([undefined, undefined, 'refused'])
    expect(greedy[2]!.entry).toMatchObject({
      message: expect.stringMatching(/^Cannot keep the request in the queue: it is full, and the/),
      retryAfterS: 5,
    })
    expect(other.entry).toBeUndefined()
    expect(gate.waiting().map(({ client }) => client)).toEqual(['a', 'b', 'a'])
  })
})

describe('expected waits', () => {
  test('are unknown before anything was measured, or while nothing can be served', async () => {
    const { gate, clock } = gateOf()
    const first = await inGate(gate)
    void gate.enter({ id: 'r1', client: 'b', bytes: 1 }, stays())
    void gate.enter({ client: 'c', bytes: 1 }, stays())
    await clock.advance(100)
    expect(gate.waiting()).toEqual([
      { id: 'r1', client: 'b', position: 1, waitedMs: 100, expectedMs: null },
      { id: '2', client: 'c', position: 2, waitedMs: 100, expectedMs: null },
    ])
    expect(gate.retryAfterS()).toBe(5)
    first.release()
    gate.setSlots(0)
    expect(gate.waiting().map(({ expectedMs }) => expectedMs)).toEqual([null])
  })

  test('follow the measured times: the newest counts for a fifth', async () => {
    const { gate, clock } = gateOf({ slots: 2 })
    for (const [heldMs, servedMs] of [
      [1000, undefined],
      // Held through a restart: only what the engine worked at it counts.
      [60_000, 2000],
      // Never served: no measure.
      [0, null],
    ] as const) {
      const entry = await inGate(gate)
      await clock.advance(heldMs)
      entry.release(servedMs)
    }
    await inGate(gate)
    await inGate(gate)
    for (const client of ['b', 'c']) void gate.enter({ client, bytes: 1 }, stays())
    expect(gate.waiting().map(({ expectedMs }) => expectedMs)).toEqual([600, 1200])
  })

  test.each([
    [1, 1],
    [1001, 2],
    [59_400, 60],
    [3_600_000, 600],
  ])('of %i ms make Retry-After %i s', async (servedMs, retryAfterS) => {
    const { gate } = gateOf()
    const entry = await inGate(gate)
    entry.release(servedMs)
    expect(gate.retryAfterS()).toBe(retryAfterS)
  })
})

type Step =
  | { readonly kind: 'enter'; readonly client: string; readonly bytes: number }
  | { readonly kind: 'release' | 'abort'; readonly index: number }
  | { readonly kind: 'slots'; readonly slots: Slots }

const steps = fc.array(
  fc.oneof<fc.Arbitrary<Step>[]>(
    fc.record({
      kind: fc.constant('enter' as const),
      client: fc.constantFrom('a', 'a', 'b', 'c'),
      bytes: fc.nat(30),
    }),
    fc.record({ kind: fc.constantFrom('release' as const, 'abort' as const), index: fc.nat(9) }),
    fc.record({
      kind: fc.constant('slots' as const),
      slots: fc.oneof({ weight: 9, arbitrary: fc.nat(4) }, fc.constant(null)),
    }),
  ),
  { maxLength: 60 },
)

interface Guest {
  readonly gone: AbortController
  readonly seen: ReturnType<typeof watch>
  released: boolean
}

const isRunning = ({ seen, released }: Guest): boolean => seen.entry?.kind === 'in' && !released
const isWaiting = ({ seen }: Guest): boolean => seen.entry === undefined && seen.error === undefined

function carryOut(step: Step, gate: Gate, guests: Guest[]): void {
  if (step.kind === 'slots') return gate.setSlots(step.slots)
  if (step.kind === 'enter') {
    const gone = new AbortController()
    const { client, bytes } = step
    const seen = watch(gate.enter({ client, bytes }, gone.signal))
    guests.push({ gone, seen, released: false })
    return
  }
  if (step.kind === 'abort') return guests.filter(isWaiting)[step.index]?.gone.abort()
  const guest = guests.filter(isRunning)[step.index]
  if (guest?.seen.entry?.kind !== 'in') return
  guest.seen.entry.release()
  guest.released = true
}

test('whatever happens: never more than the slots are let in, no slot is free while one waits, all are accounted for', async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.nat(3), async (all, startSlots) => {
      const { gate } = gateOf({ slots: startSlots })
      const guests: Guest[] = []
      let slots: Slots = startSlots
      for (const step of all) {
        const ranBefore = gate.counts().running
        if (step.kind === 'slots') slots = step.slots
        carryOut(step, gate, guests)
        await tick()
        const { running, queued } = gate.counts()
        expect(running).toBe(guests.filter(isRunning).length)
        expect(queued).toBe(guests.filter(isWaiting).length)
        expect(running).toBeLessThanOrEqual(Math.max(slots ?? Infinity, ranBefore))
        expect(queued > 0 && running < (slots ?? Infinity)).toBe(false)
      }
    }),
  )
})
