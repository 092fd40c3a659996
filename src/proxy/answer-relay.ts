/** Takes the engine's answers to one request and passes on what its client is to see. */
import type { Api } from './api.ts'
import type { AnswerHead } from './answer-head.ts'
import { type ClientAnswer, isPlainEventStream } from './client-answer.ts'
import type { AnswerTaker } from './engine-call.ts'
import { type EngineFault, faultOf } from './engine-fault.ts'
import { createSseCutter, type SseCutter } from './stream/sse-events.ts'
import { startStory, type StreamStory } from './stream/stream-story.ts'
import { type Tokens, tokensIn } from './tokens-in-answer.ts'

/** What an answer of the engine came to, once it was whole. */
export type AnswerEnd =
  | { readonly kind: 'fine' }
  /** It says that it failed, and none of it has gone to the client. */
  | { readonly kind: 'fault'; readonly fault: EngineFault }
  /** An event stream without its own end. */
  | { readonly kind: 'unfinished' }
  /** It has no place behind what the client has: none of it has gone there. */
  | { readonly kind: 'unfit'; readonly reason: string }

/** An error of the engine is kept back up to here, to be looked at. */
const maxErrorBytes = 64 * 1024
/** Enough of the end of an answer to hold its usage and timings. */
const endBytes = 4096

export class AnswerRelay implements AnswerTaker {
  readonly #api: Api | null
  readonly #answer: ClientAnswer
  readonly #story: StreamStory | null
  #cutter: SseCutter = createSseCutter()
  #mode: 'pass' | 'events' | 'error' | 'unfit' = 'pass'
  #hadEvents = false
  #head: AnswerHead | undefined
  #errorBytes: Buffer[] = []
  #errorLength = 0
  #end: Buffer = Buffer.alloc(0)

  /** `request` is the parsed body of one that asks for a stream; null for any other. */
  constructor(api: Api | null, request: unknown, answer: ClientAnswer) {
    this.#api = api
    this.#answer = answer
    this.#story = api === null || request === null ? null : startStory(api, request)
  }

  /** The engine has begun to answer with a stream of events. */
  get hasEvents(): boolean {
    return this.#mode === 'events'
  }

  get story(): StreamStory | null {
    return this.#story
  }

  get status(): number {
    return this.#head?.status ?? 0
  }

  /** What the engine counted; of a stream the sum over its parts. */
  get tokens(): Tokens | null {
    if (this.#story !== null && this.#hadEvents) return this.#story.seen
    return this.#api === null || this.status !== 200 ? null : tokensIn(this.#end.toString('latin1'))
  }

  head(head: AnswerHead): void {
    this.#head = head
    this.#cutter = createSseCutter()
    this.#errorBytes = []
    this.#errorLength = 0
    this.#mode = this.#modeFor(head)
    this.#hadEvents ||= this.#mode === 'events'
    // The client of a stream that goes on has its head already.
    if (this.#mode === 'error' || this.#answer.started) return
    this.#answer.begin(head)
    // Together with the first bytes when those are here already, else by itself: a stream starts at once.
    if (head.framing.kind !== 'length') setImmediate(() => this.#answer.flush())
  }

  #modeFor(head: AnswerHead): 'pass' | 'events' | 'error' | 'unfit' {
    if (this.#story !== null && head.status === 200 && isPlainEventStream(head)) return 'events'
    if (this.#api !== null && head.status === 500) return 'error'
    return this.#answer.started ? 'unfit' : 'pass'
  }

  body(bytes: Buffer, isLast: boolean): boolean {
    if (this.#mode === 'pass') {
      if (this.#api !== null) this.#end = endOf(this.#end, bytes)
      return this.#answer.write(bytes, isLast)
    }
    if (this.#mode === 'error') return this.#keepError(bytes)
    if (this.#mode === 'unfit') return true
    let takesMore = true
    for (const event of this.#cutter.take(bytes)) {
      const told = this.#story?.take(event) ?? null
      if (told !== null) takesMore = this.#answer.write(told, false)
    }
    return takesMore
  }

  /** To be asked once the answer is whole. */
  finish(): AnswerEnd {
    if (this.#mode === 'error') {
      const fault = faultOf(Buffer.concat(this.#errorBytes).toString('utf8'))
      if (fault !== null) return { kind: 'fault', fault }
      this.#passError()
    }
    if (this.#mode === 'unfit') {
      return { kind: 'unfit', reason: `the engine goes on with status ${this.status}` }
    }
    const seen = this.#mode === 'events' ? this.#story?.seen : undefined
    if (seen === undefined || seen.ended) return { kind: 'fine' }
    if (seen.error === 'malformed-harmony' || seen.error === 'compute-error') {
      return { kind: 'fault', fault: seen.error }
    }
    // An error event is an end as well: the engine has said so itself.
    return seen.error === null ? { kind: 'unfinished' } : { kind: 'fine' }
  }

  /**
   * The fault is not to be mended: the client gets it as the engine said it. False where that has no place
   * behind what the client has.
   */
  passFault(): boolean {
    if (this.#mode === 'error') this.#passError()
    const withheld = this.#story?.seen.withheld ?? null
    if (withheld !== null) this.#answer.write(withheld, false)
    return this.#mode !== 'unfit'
  }

  #keepError(bytes: Buffer): boolean {
    this.#errorBytes.push(bytes)
    this.#errorLength += bytes.length
    if (this.#errorLength <= maxErrorBytes) return true
    // No error of the engine is that long: it is passed on as it comes.
    this.#passError()
    return true
  }

  /** Bare JSON within a stream would look like nothing: there it is kept from the client for good. */
  #passError(): void {
    if (this.#answer.started) {
      this.#mode = 'unfit'
      return
    }
    if (this.#head !== undefined) this.#answer.begin(this.#head)
    for (const bytes of this.#errorBytes) this.#answer.write(bytes, false)
    this.#errorBytes = []
    this.#errorLength = 0
    this.#mode = 'pass'
  }
}

function endOf(before: Buffer, bytes: Buffer): Buffer {
  if (bytes.length >= endBytes) return bytes.subarray(bytes.length - endBytes)
  const all = before.length === 0 ? bytes : Buffer.concat([before, bytes])
  return all.length <= endBytes ? all : all.subarray(all.length - endBytes)
}
