/** Lets as many requests through to the engine as it has slots; the others wait in a fair queue or are refused. */
import type { Clock } from '../../clock.ts'
import { formatBytes } from '../../units.ts'
import {
  emptyQueue,
  inTurn,
  join,
  leave,
  type Queue,
  type QueueBounds,
  type QueuedTicket,
  takeNext,
} from './queue-policy.ts'
import { ServiceTime } from './service-time.ts'

export interface GateOptions extends QueueBounds {
  readonly slots: Slots
  readonly clock: Pick<Clock, 'monotonicMs'>
}

/** How many run at once; `null` when the engine does not tell: then all go through, and it queues them itself. */
export type Slots = number | null

interface Ticket {
  /** Shown in `waiting()`; one is made up when there is none. */
  readonly id?: string
  /** Between these the queue is fair. */
  readonly client: string
  /** What this request keeps in memory while it waits. */
  readonly bytes: number
}

export type Entry = Admitted | GateRefusal

export interface Admitted {
  readonly kind: 'in'
  readonly waitedMs: number
  /**
   * Gives the slot back; only the first call counts. `servedMs` is how long the engine worked at it, `null`
   * when it never did; left out, it is all the time since the entry. Expected waits come from it.
   */
  release(servedMs?: number | null): void
}

interface GateRefusal {
  readonly kind: 'refused'
  readonly message: string
  readonly hint: string
  readonly retryAfterS: number
}

interface WaitingRequest {
  readonly id: string
  readonly client: string
  /** 1 is next. */
  readonly position: number
  readonly waitedMs: number
  /** How long it will still wait; `null` while nothing has been measured. */
  readonly expectedMs: number | null
}

interface GateCounts {
  readonly running: number
  readonly queued: number
  readonly queuedBytes: number
}

export interface Gate {
  /** Lets one in, if a slot is free; null: it has to wait. */
  enterNow(): Admitted | null
  /** At once when a slot is free. Rejects with an AbortError when `signal` aborts first, and has then forgotten it. */
  enter(ticket: Ticket, signal: AbortSignal): Promise<Entry>
  /** Fewer than run now is no fault: the next goes in when enough have left. */
  setSlots(slots: Slots): void
  counts(): GateCounts
  /** In the order of their turns. */
  waiting(): readonly WaitingRequest[]
  /** Whole seconds until the next one waiting goes in, and so leaves a place to somebody refused now. */
  retryAfterS(): number
}

export function createGate(options: GateOptions): Gate {
  return new SlotGate(options)
}

interface Waiter {
  readonly ticket: QueuedTicket
  readonly sinceMs: number
  readonly settle: (entry: Entry) => void
}

/** Of a refused client when nothing is measured yet. */
const UNKNOWN_RETRY_AFTER_S = 5
const MAX_RETRY_AFTER_S = 600

class SlotGate implements Gate {
  readonly #bounds: QueueBounds
  readonly #clock: GateOptions['clock']
  readonly #serviceTime = new ServiceTime()
  readonly #waiters = new Map<QueuedTicket, Waiter>()
  #slots: Slots
  #running = 0
  #queue: Queue = emptyQueue
  #tickets = 0

  constructor({ slots, clock, maxQueued, maxQueuedBytes }: GateOptions) {
    this.#slots = slots
    this.#clock = clock
    this.#bounds = { maxQueued, maxQueuedBytes }
  }

  enterNow(): Admitted | null {
    // A free slot and somebody waiting are never there together: nobody is overtaken.
    return this.#isFree() ? this.#letIn(0) : null
  }

  enter(ticket: Ticket, signal: AbortSignal): Promise<Entry> {
    if (signal.aborted) return Promise.reject(abortError())
    const now = this.enterNow()
    return now === null ? this.#wait(ticket, signal) : Promise.resolve(now)
  }

  setSlots(slots: Slots): void {
    this.#slots = slots
    this.#letNextIn()
  }

  counts(): GateCounts {
    return { running: this.#running, queued: this.#queue.count, queuedBytes: this.#queue.bytes }
  }

  waiting(): readonly WaitingRequest[] {
    const nowMs = this.#clock.monotonicMs()
    return inTurn(this.#queue).map((ticket, index) => ({
      id: ticket.id,
      client: ticket.client,
      position: index + 1,
      waitedMs: nowMs - (this.#waiters.get(ticket)?.sinceMs ?? nowMs),
      expectedMs: this.#expectedMs(index + 1),
    }))
  }

  retryAfterS(): number {
    const expectedMs = this.#expectedMs(1)
    if (expectedMs === null) return UNKNOWN_RETRY_AFTER_S
    return Math.min(Math.max(Math.ceil(expectedMs / 1000), 1), MAX_RETRY_AFTER_S)
  }

  #expectedMs(position: number): number | null {
    return this.#serviceTime.expectedWaitMs(position, this.#slots)
  }

  #isFree(): boolean {
    return this.#slots === null || this.#running < this.#slots
  }

  #letIn(waitedMs: number): Admitted {
    const sinceMs = this.#clock.monotonicMs()
    let isIn = true
    this.#running += 1
    return {
      kind: 'in',
      waitedMs,
      release: (servedMs) => {
        if (!isIn) return
        isIn = false
        this.#running -= 1
        if (servedMs !== null) {
          this.#serviceTime.add(servedMs ?? this.#clock.monotonicMs() - sinceMs)
        }
        this.#letNextIn()
      },
    }
  }

  #wait(asked: Ticket, signal: AbortSignal): Promise<Entry> {
    const { client, bytes } = asked
    this.#tickets += 1
    const ticket = { id: asked.id ?? String(this.#tickets), client, bytes }
    const joining = join(this.#queue, ticket, this.#bounds)
    if (joining.kind === 'full') return Promise.resolve(this.#refuse(ticket, joining.of))
    this.#queue = joining.queue
    for (const displaced of joining.displaced) this.#displace(displaced)
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#queue = leave(this.#queue, ticket)
        this.#waiters.delete(ticket)
        reject(abortError())
      }
      signal.addEventListener('abort', onAbort, { once: true })
      const settle = (entry: Entry): void => {
        signal.removeEventListener('abort', onAbort)
        resolve(entry)
      }
      this.#waiters.set(ticket, { ticket, sinceMs: this.#clock.monotonicMs(), settle })
    })
  }

  #letNextIn(): void {
    while (this.#isFree()) {
      const next = takeNext(this.#queue)
      if (next === null) return
      this.#queue = next.queue
      const waiter = this.#forget(next.ticket)
      if (waiter === undefined) continue
      waiter.settle(this.#letIn(this.#clock.monotonicMs() - waiter.sinceMs))
    }
  }

  #displace(ticket: QueuedTicket): void {
    this.#forget(ticket)?.settle({
      kind: 'refused',
      message: `Cannot keep the request in the queue: it is full, and the place of the newest request of ${ticket.client} went to a client that had none waiting`,
      ...this.#advice(),
    })
  }

  #forget(ticket: QueuedTicket): Waiter | undefined {
    const waiter = this.#waiters.get(ticket)
    this.#waiters.delete(ticket)
    return waiter
  }

  #refuse(ticket: QueuedTicket, of: 'requests' | 'bytes'): GateRefusal {
    return {
      kind: 'refused',
      message: fullMessage(ticket, of, this.counts(), this.#bounds),
      ...this.#advice(),
    }
  }

  #advice(): { hint: string; retryAfterS: number } {
    const retryAfterS = this.retryAfterS()
    return {
      retryAfterS,
      hint: `try again in ${retryAfterS} s; oss20bd status shows who waits`,
    }
  }
}

function fullMessage(
  ticket: QueuedTicket,
  of: 'requests' | 'bytes',
  { queued, queuedBytes }: GateCounts,
  { maxQueued, maxQueuedBytes }: QueueBounds,
): string {
  const start = 'Cannot take the request: every slot of the engine is busy'
  if (of === 'requests')
    return `${start}, and ${queued} requests wait already, at most ${maxQueued} may`
  const own = `the ${formatBytes(ticket.bytes)} of this one`
  return `${start}, and waiting requests keep ${formatBytes(queuedBytes)} already, with ${own} it would be more than the ${formatBytes(maxQueuedBytes)} they may`
}

function abortError(): DOMException {
  return new DOMException('The operation was aborted', 'AbortError')
}
