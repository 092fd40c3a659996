/** Who waits for a slot of the engine, who is next, and who is refused when too many wait. Pure. */

/** One request that waits. */
export interface QueuedTicket {
  readonly id: string
  readonly client: string
  readonly bytes: number
}

/** The waiting requests of one client, first come first served. Never empty. */
interface Lane {
  readonly client: string
  readonly tickets: readonly QueuedTicket[]
  readonly bytes: number
}

export interface Queue {
  /** In the order of their turns: the first is next, and goes to the end when it has had its turn. */
  readonly lanes: readonly Lane[]
  readonly count: number
  readonly bytes: number
}

export interface QueueBounds {
  readonly maxQueued: number
  readonly maxQueuedBytes: number
}

export type Joining =
  /** `displaced` lost their places to the newcomer. */
  | {
      readonly kind: 'joined'
      readonly queue: Queue
      readonly displaced: readonly QueuedTicket[]
    }
  | { readonly kind: 'full'; readonly of: 'requests' | 'bytes' }

export const emptyQueue: Queue = { lanes: [], count: 0, bytes: 0 }

/**
 * Adds a request at the end of its client's lane, or refuses it when that is over the bounds: those who wait
 * were told that they will be served. One exception, or a client that fills the queue would shut out all
 * others for good: a client with none waiting gets a place, and the newest of the client with most waiting
 * loses his. One place is enough for a full share, as each client has the same turns.
 */
export function join(queue: Queue, newcomer: QueuedTicket, bounds: QueueBounds): Joining {
  const known = queue.lanes.some(({ client }) => client === newcomer.client)
  const displaced: QueuedTicket[] = []
  let left = queue
  for (let of = overBy(left, newcomer, bounds); of !== null; of = overBy(left, newcomer, bounds)) {
    const victim = known || newcomer.bytes > bounds.maxQueuedBytes ? null : newestOfMost(left, of)
    if (victim === null) return { kind: 'full', of }
    displaced.push(victim)
    left = leave(left, victim)
  }
  return { kind: 'joined', queue: add(left, newcomer), displaced }
}

/** Takes the request whose turn it is, or `null` when none waits. */
export function takeNext(queue: Queue): { ticket: QueuedTicket; queue: Queue } | null {
  const [lane, ...others] = queue.lanes
  const ticket = lane?.tickets[0]
  if (lane === undefined || ticket === undefined) return null
  const rest = without(lane, ticket)
  return { ticket, queue: queueOf(queue, ticket, rest === null ? others : [...others, rest]) }
}

/** Forgets one request; the order of all others stays. */
export function leave(queue: Queue, ticket: QueuedTicket): Queue {
  const index = queue.lanes.findIndex(({ client }) => client === ticket.client)
  const lane = queue.lanes[index]
  if (lane === undefined || !lane.tickets.includes(ticket)) return queue
  const rest = without(lane, ticket)
  return queueOf(queue, ticket, queue.lanes.toSpliced(index, 1, ...(rest === null ? [] : [rest])))
}

/** All who wait in the order in which they will be served if nobody else comes. */
export function inTurn({ lanes, count }: Queue): readonly QueuedTicket[] {
  const order: QueuedTicket[] = []
  for (let round = 0; order.length < count; round += 1) {
    for (const { tickets } of lanes) {
      const ticket = tickets[round]
      if (ticket !== undefined) order.push(ticket)
    }
  }
  return order
}

/** The bound that would be passed with one more, or `null`. */
function overBy(
  queue: Queue,
  newcomer: QueuedTicket,
  { maxQueued, maxQueuedBytes }: QueueBounds,
): 'requests' | 'bytes' | null {
  if (queue.count + 1 > maxQueued) return 'requests'
  return queue.bytes + newcomer.bytes > maxQueuedBytes ? 'bytes' : null
}

/** A client's only request is never taken from it: then nobody can be shut out that way either. */
function newestOfMost({ lanes }: Queue, of: 'requests' | 'bytes'): QueuedTicket | null {
  const share = (lane: Lane): number => (of === 'bytes' ? lane.bytes : lane.tickets.length)
  let most: Lane | undefined
  for (const lane of lanes) {
    if (lane.tickets.length > 1 && (most === undefined || share(lane) > share(most))) most = lane
  }
  return most?.tickets.at(-1) ?? null
}

function add(queue: Queue, ticket: QueuedTicket): Queue {
  const index = queue.lanes.findIndex(({ client }) => client === ticket.client)
  const { tickets, bytes } = queue.lanes[index] ?? { tickets: [], bytes: 0 }
  const { client } = ticket
  const lane = { client, tickets: [...tickets, ticket], bytes: bytes + ticket.bytes }
  return {
    lanes: index === -1 ? [...queue.lanes, lane] : queue.lanes.with(index, lane),
    count: queue.count + 1,
    bytes: queue.bytes + ticket.bytes,
  }
}

function without(lane: Lane, ticket: QueuedTicket): Lane | null {
  const tickets = lane.tickets.filter((other) => other !== ticket)
  if (tickets.length === 0) return null
  return { client: lane.client, tickets, bytes: lane.bytes - ticket.bytes }
}

function queueOf(before: Queue, gone: QueuedTicket, lanes: readonly Lane[]): Queue {
  return { lanes, count: before.count - 1, bytes: before.bytes - gone.bytes }
}
