import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  emptyQueue,
  inTurn,
  join,
  leave,
  type Queue,
  type QueueBounds,
  type QueuedTicket,
  takeNext,
} from '../../../../src/proxy/admission/queue-policy.ts'

const WIDE: QueueBounds = { maxQueued: 1000, maxQueuedBytes: 1e9 }

/** `a1` is the request 1 of client a. */
const ticket = (name: string, bytes = 1): QueuedTicket => ({
  id: name,
  client: name.slice(0, 1),
  bytes,
})

function queueOf(names: readonly string[], bounds = WIDE): Queue {
  return names.reduce((queue, name) => {
    const joining = join(queue, ticket(name), bounds)
    return joining.kind === 'joined' ? joining.queue : queue
  }, emptyQueue)
}

const names = (tickets: readonly QueuedTicket[]): string => tickets.map(({ id }) => id).join(' ')

function served(queue: Queue): QueuedTicket[] {
  const next = takeNext(queue)
  return next === null ? [] : [next.ticket, ...served(next.queue)]
}

describe('whose turn it is', () => {
  test.each([
    ['nobody waits', [], ''],
    ['one client: first come, first served', ['a1', 'a2', 'a3'], 'a1 a2 a3'],
    ['a client that fills the queue first', ['a1', 'a2', 'a3', 'b1', 'c1'], 'a1 b1 c1 a2 a3'],
    ['clients take turns', ['a1', 'b1', 'a2', 'b2', 'a3'], 'a1 b1 a2 b2 a3'],
  ])('%s', (_name, joined, order) => {
    const queue = queueOf(joined)
    expect(names(served(queue))).toBe(order)
    expect(names(inTurn(queue))).toBe(order)
  })

  test('a client that comes again goes behind those who wait', () => {
    const first = takeNext(queueOf(['a1', 'b1', 'c1']))
    const again = join(first?.queue ?? emptyQueue, ticket('a2'), WIDE)
    expect(again).toMatchObject({ kind: 'joined', displaced: [] })
    expect(again.kind === 'joined' && names(served(again.queue))).toBe('b1 c1 a2')
  })

  test('one that leaves takes nobody else along', () => {
    const queue = queueOf(['a1', 'a2', 'b1', 'c1'])
    const [a1] = inTurn(queue)
    expect(names(inTurn(leave(queue, a1!)))).toBe('a2 b1 c1')
    expect(leave(queue, ticket('a1'))).toBe(queue)
    expect(leave(queue, ticket('z1'))).toBe(queue)
  })
})

describe('a full queue', () => {
  const three: QueueBounds = { maxQueued: 3, maxQueuedBytes: 10 }

  test.each([
    ['refuses one more of a client that waits', ['a1', 'a2', 'a3'], ticket('a4'), 'requests'],
    ['also of one with few waiting', ['a1', 'a2', 'b1'], ticket('b2'), 'requests'],
    ['takes nobody his only place', ['a1', 'b1', 'c1'], ticket('d1'), 'requests'],
    ['refuses bytes over the bound', ['a1'], ticket('a2', 10), 'bytes'],
    ['refuses what is over the bound alone', ['a1', 'a2'], ticket('b1', 11), 'bytes'],
  ])('%s', (_name, joined, newcomer, of) => {
    expect(join(queueOf(joined, three), newcomer, three)).toEqual({ kind: 'full', of })
  })

  test.each([
    [
      'the newest of the client with most waiting',
      ['b1', 'a1', 'a2'],
      ticket('c1'),
      'a2',
      'b1 a1 c1',
    ],
    ['as many as its bytes need', ['a1', 'a2', 'b1'], ticket('c1', 9), 'a2', 'a1 b1 c1'],
  ])('gives a client with none waiting the place of %s', (_name, joined, newcomer, gone, order) => {
    const before = queueOf(joined, three)
    const joining = join(before, newcomer, { ...three, maxQueuedBytes: 11 })
    expect(joining.kind === 'joined' && names(joining.displaced)).toBe(gone)
    expect(joining.kind === 'joined' && names(inTurn(joining.queue))).toBe(order)
  })

  test('for bytes it is the client that keeps most of them', () => {
    const bounds = { maxQueued: 9, maxQueuedBytes: 20 }
    let queue = queueOf(['a1', 'a2', 'a3'], bounds)
    for (const big of [ticket('b1', 8), ticket('b2', 8)]) {
      const joining = join(queue, big, bounds)
      queue = joining.kind === 'joined' ? joining.queue : emptyQueue
    }
    const joining = join(queue, ticket('c1', 5), bounds)
    expect(joining.kind === 'joined' && names(joining.displaced)).toBe('b2')
  })
})

type Step =
  | { readonly kind: 'join'; readonly client: string; readonly bytes: number }
  | { readonly kind: 'take' }
  | { readonly kind: 'leave'; readonly index: number }

const steps = fc.array(
  fc.oneof<fc.Arbitrary<Step>[]>(
    fc.record({
      kind: fc.constant('join' as const),
      client: fc.constantFrom('a', 'a', 'a', 'b', 'c', 'd'),
      bytes: fc.nat(6),
    }),
    fc.record({ kind: fc.constant('take' as const) }),
    fc.record({ kind: fc.constant('leave' as const), index: fc.nat(20) }),
  ),
  { maxLength: 80 },
)

/** Carries out the steps; `check` sees the queue before and after each. */
function walk(
  all: readonly Step[],
  bounds: QueueBounds,
  check: (before: Queue, after: Queue, step: Step) => void = () => {},
) {
  let queue = emptyQueue
  let count = 0
  const asked: QueuedTicket[] = []
  const out: QueuedTicket[] = []
  for (const step of all) {
    const before = queue
    if (step.kind === 'join') {
      const newcomer = { id: `${step.client}${(count += 1)}`, ...step }
      asked.push(newcomer)
      const joining = join(queue, newcomer, bounds)
      if (joining.kind === 'full') out.push(newcomer)
      else {
        queue = joining.queue
        out.push(...joining.displaced)
      }
    } else if (step.kind === 'take') {
      const next = takeNext(queue)
      if (next !== null) {
        queue = next.queue
        out.push(next.ticket)
      }
    } else {
      const leaver = inTurn(queue)[step.index]
      if (leaver !== undefined) {
        queue = leave(queue, leaver)
        out.push(leaver)
      }
    }
    check(before, queue, step)
  }
  return { queue, asked, out }
}

const bounds = fc.record({ maxQueued: fc.nat(8), maxQueuedBytes: fc.nat(30) })
const idsOf = (tickets: readonly QueuedTicket[]): string[] => tickets.map(({ id }) => id).toSorted()
const bytesIn = (tickets: readonly QueuedTicket[]): number =>
  tickets.reduce((sum, { bytes }) => sum + bytes, 0)
const of = (client: string, queue: Queue): QueuedTicket[] =>
  inTurn(queue).filter((waiting) => waiting.client === client)

describe('whatever happens', () => {
  test('no request is lost or doubled, and the bounds and sums hold', () => {
    fc.assert(
      fc.property(steps, bounds, (all, within) => {
        const { queue, asked, out } = walk(all, within, (_before, after) => {
          const waiting = inTurn(after)
          expect(after.count).toBe(waiting.length)
          expect(after.bytes).toBe(bytesIn(waiting))
          for (const { client, bytes } of after.lanes)
            expect(bytes).toBe(bytesIn(of(client, after)))
          expect(after.count).toBeLessThanOrEqual(within.maxQueued)
          expect(after.bytes).toBeLessThanOrEqual(within.maxQueuedBytes)
        })
        expect(idsOf([...inTurn(queue), ...out])).toEqual(idsOf(asked))
      }),
    )
  })

  test('the forecast of turns is what comes true', () => {
    fc.assert(
      fc.property(steps, bounds, (all, within) => {
        const { queue } = walk(all, within)
        expect(names(served(queue))).toBe(names(inTurn(queue)))
      }),
    )
  })

  test('each client stays first come, first served; who goes leaves the order of the rest', () => {
    fc.assert(
      fc.property(steps, bounds, (all, within) => {
        walk(all, within, (before, after) => {
          for (const client of ['a', 'b', 'c', 'd']) {
            const stayed = of(client, before).filter((one) => inTurn(after).includes(one))
            expect(of(client, after).slice(0, stayed.length)).toEqual(stayed)
          }
        })
      }),
    )
  })

  test('only a turn moves a client, and only the first to the end', () => {
    fc.assert(
      fc.property(steps, bounds, (all, within) => {
        walk(all, within, (before, after, step) => {
          const order = (queue: Queue): string[] => queue.lanes.map(({ client }) => client)
          const stayed = order(before).filter((client) => order(after).includes(client))
          const expected =
            step.kind === 'take' && stayed[0] === order(before)[0] && stayed.length > 0
              ? [...stayed.slice(1), ...stayed.slice(0, 1)]
              : stayed
          expect(order(after).slice(0, expected.length)).toEqual(expected)
        })
      }),
    )
  })
})

describe('fairness', () => {
  const clients = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 2 })

  test('among clients that always have one waiting, served counts differ by at most 1', () => {
    fc.assert(
      fc.property(clients, fc.array(fc.nat(20)), fc.nat(60), (busy, arrivals, turns) => {
        let queue = queueOf(busy.map((client) => `${client}0`))
        let count = 0
        const serve = new Map<string, number>(busy.map((client) => [client, 0]))
        for (let turn = 0; turn < turns; turn += 1) {
          // Any of them may bring any number more at any time.
          const greedy = busy[(arrivals[turn] ?? 0) % busy.length]!
          const more = [greedy, greedy, ...busy.filter((client) => of(client, queue).length < 2)]
          for (const client of more) {
            const joining = join(queue, ticket(`${client}${(count += 1)}`), WIDE)
            queue = joining.kind === 'joined' ? joining.queue : emptyQueue
          }
          const next = takeNext(queue)!
          queue = next.queue
          serve.set(next.ticket.client, (serve.get(next.ticket.client) ?? 0) + 1)
          expect(Math.max(...serve.values()) - Math.min(...serve.values())).toBeLessThanOrEqual(1)
        }
      }),
    )
  })

  test('a client with none waiting gets a place as long as another has two, and a turn within one round', () => {
    fc.assert(
      fc.property(steps, fc.nat(8), (all, maxQueued) => {
        const within = { maxQueued, maxQueuedBytes: 1e9 }
        const { queue } = walk(all, within)
        const anyHasTwo = queue.lanes.some(({ tickets }) => tickets.length > 1)
        const joining = join(queue, ticket('n1'), within)
        expect(joining.kind).toBe(anyHasTwo || queue.count < maxQueued ? 'joined' : 'full')
        const order = joining.kind === 'joined' ? inTurn(joining.queue) : [ticket('n1')]
        const position = order.findIndex(({ client }) => client === 'n')
        expect(position).toBeLessThanOrEqual(queue.lanes.length)
        expect(position).toBeGreaterThanOrEqual(0)
      }),
    )
  })
})
