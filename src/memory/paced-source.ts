/** Asks for one thing at its own pace, one question at a time, and keeps the last two answers. */
import type { Clock } from '../clock.ts'
import { messageOf } from '../errors.ts'
import { type Answer, known, unknown } from './answer.ts'

export interface Stamped<Value> {
  /** Monotonic. */
  readonly atMs: number
  readonly value: Value
}

/** The last value and the one before, for rates. */
export interface Change<Value> {
  readonly from: Stamped<Value>
  readonly to: Stamped<Value>
}

export interface SourceOptions<Value> {
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** From one question to the next. */
  readonly everyMs: number
  /** The same after a question that found nothing. */
  readonly everyMsInVain?: number
  /** What is asked about: with another one it is asked at once. Unknown: there is nothing to ask. */
  readonly about?: () => Answer<string>
  readonly ask: (about: string, signal: AbortSignal) => Promise<Answer<Value>>
}

export class PacedSource<Value> {
  readonly #options: SourceOptions<Value>
  #about: Answer<string> | null = null
  #answer: Answer<Value> = notAsked
  #askedAtMs = Number.NEGATIVE_INFINITY
  #last: Stamped<Value> | null = null
  #beforeLast: Stamped<Value> | null = null
  #isClosed = false
  #running: { readonly done: Promise<void>; readonly abort: AbortController } | null = null

  constructor(options: SourceOptions<Value>) {
    this.#options = options
  }

  /** Asks if it is due. Resolves when nothing is being asked any more; never rejects. */
  refresh(): Promise<void> {
    if (this.#isClosed) return Promise.resolve()
    const about = this.#options.about?.() ?? known('')
    if (!isSame(about, this.#about)) this.#forget(about)
    if (about.kind === 'known' && this.#running === null && this.#isDue()) this.#start(about.value)
    return this.#running?.done ?? Promise.resolve()
  }

  answer(): Answer<Value> {
    return this.#answer
  }

  /** The last value there was, also when the last question found none. */
  lastValue(): Value | null {
    return this.#last?.value ?? null
  }

  /** Whether a question has been answered, with whatever. */
  wasAnswered(): boolean {
    return this.#answer !== notAsked
  }

  /** null until there are two values, and while the last question found nothing. */
  change(): Change<Value> | null {
    if (this.#answer.kind === 'unknown' || this.#last === null || this.#beforeLast === null)
      return null
    return { from: this.#beforeLast, to: this.#last }
  }

  /** Gives up the question under way, and asks no more; resolves when it is over. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#running?.abort.abort()
    await this.#running?.done
  }

  #isDue(): boolean {
    const { everyMs, everyMsInVain } = this.#options
    const paceMs = this.#answer.kind === 'known' ? everyMs : (everyMsInVain ?? everyMs)
    return this.#options.clock.monotonicMs() - this.#askedAtMs >= paceMs
  }

  #forget(about: Answer<string>): void {
    this.#about = about
    this.#answer = about.kind === 'known' ? notAsked : about
    this.#askedAtMs = Number.NEGATIVE_INFINITY
    this.#last = null
    this.#beforeLast = null
    // It would answer about something else.
    this.#running?.abort.abort()
  }

  #start(about: string): void {
    const abort = new AbortController()
    this.#askedAtMs = this.#options.clock.monotonicMs()
    this.#running = { done: this.#ask(about, abort.signal), abort }
  }

  async #ask(about: string, signal: AbortSignal): Promise<void> {
    const answer = await this.#options.ask(about, signal).catch((error: unknown) => {
      return unknown(messageOf(error))
    })
    if (!signal.aborted) this.#keep(answer)
    this.#running = null
  }

  #keep(answer: Answer<Value>): void {
    this.#answer = answer
    if (answer.kind === 'unknown') return
    this.#beforeLast = this.#last
    this.#last = { atMs: this.#options.clock.monotonicMs(), value: answer.value }
  }
}

const notAsked = unknown('it has not been read yet')

function isSame(one: Answer<string>, other: Answer<string> | null): boolean {
  if (one.kind === 'known') return other?.kind === 'known' && one.value === other.value
  return other?.kind === 'unknown' && one.reason === other.reason
}
