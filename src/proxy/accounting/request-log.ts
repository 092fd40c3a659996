/** Keeps account of every request at the port: those open now, the last ones, and sums. Bounded; knows no prompt and no answer. */
import type { Clock } from '../../clock.ts'
import type { RequestRecord, RequestTotals, RequestView } from '../../request-record.ts'
import { type EndedRequest, type NewRequest, type OpenRequest, TrackedRequest } from './request.ts'

export interface RequestLog {
  begin(request: NewRequest): OpenRequest
  /** Oldest first. */
  open(): readonly RequestView[]
  /** The newest `count` of the kept ones, newest first. */
  recent(count: number): readonly RequestRecord[]
  /** Calls what its request gave to `onCancel`; false when no open request has this id. */
  cancel(id: string): boolean
  totals(): RequestTotals
}

export interface RequestLogOptions {
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>
  /** How many ended requests are kept: about 400 bytes each. */
  readonly keep?: number
  /** Told of each request that is over. It must not throw. */
  readonly onEnded?: (request: EndedRequest) => void
}

const KEEP = 1000

/** Ids have up to this many characters after their `r` before they get longer. */
const FIRST_IDS = 36 ** 4

type Sums = { -readonly [Name in keyof Omit<RequestTotals, 'open' | 'byOutcome'>]: number }

export function createRequestLog({ clock, keep = KEEP, onEnded }: RequestLogOptions): RequestLog {
  const open = new Map<string, TrackedRequest>()
  const ended = new Ring<EndedRequest>(keep)
  const totals = new Totals()
  // Not from 0: an id that somebody still reads from before a restart must not name another request.
  let next = Math.floor(clock.nowMs() / 1000) % FIRST_IDS
  const onEnd = (request: EndedRequest): void => {
    open.delete(request.id)
    ended.push(request)
    totals.add(request)
    onEnded?.(request)
  }
  return {
    begin: (asked) => {
      next += 1
      const request = new TrackedRequest(`r${next.toString(36)}`, asked, clock, onEnd)
      open.set(request.id, request)
      return request
    },
    open: () => [...open.values()].map((request) => request.view()),
    recent: (count) => ended.newest(count).map((request) => request.record()),
    cancel: (id) => {
      const request = open.get(id)
      request?.cancel()
      return request !== undefined
    },
    totals: () => totals.read(open.size),
  }
}

/** The last `size` items, without moving any. */
class Ring<Item> {
  readonly #size: number
  readonly #items: Item[] = []
  #pushed = 0

  constructor(size: number) {
    this.#size = size
  }

  push(item: Item): void {
    if (this.#size > 0) this.#items[this.#pushed % this.#size] = item
    this.#pushed += 1
  }

  newest(count: number): Item[] {
    const found: Item[] = []
    for (let back = 1; back <= Math.min(count, this.#items.length); back += 1) {
      const item = this.#items[(this.#pushed - back) % this.#size]
      if (item !== undefined) found.push(item)
    }
    return found
  }
}

class Totals {
  readonly #byOutcome = {
    answered: 0,
    refused: 0,
    failed: 0,
    broken: 0,
    'client-gone': 0,
    'passed-on': 0,
    cancelled: 0,
  }
  readonly #sums: Sums = {
    ended: 0,
    replays: 0,
    continuations: 0,
    promptTokens: 0,
    cachedTokens: 0,
    generatedTokens: 0,
    queuedMs: 0,
    heldMs: 0,
    firstByteMs: 0,
    firstBytes: 0,
  }

  add(request: EndedRequest): void {
    const sums = this.#sums
    this.#byOutcome[request.outcome] += 1
    sums.ended += 1
    sums.replays += request.replays
    sums.continuations += request.continuations
    sums.promptTokens += request.tokens?.promptTokens ?? 0
    sums.cachedTokens += request.tokens?.cachedTokens ?? 0
    sums.generatedTokens += request.tokens?.generatedTokens ?? 0
    sums.queuedMs += request.queuedMs
    sums.heldMs += request.heldMs
    if (request.firstByteMs === null) return
    sums.firstByteMs += request.firstByteMs
    sums.firstBytes += 1
  }

  read(open: number): RequestTotals {
    return { open, ...this.#sums, byOutcome: { ...this.#byOutcome } }
  }
}
