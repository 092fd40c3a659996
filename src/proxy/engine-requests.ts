/** Takes one request for the engine from hold to answer, and decides what a failure means for its client. */
import { setMaxListeners } from 'node:events'
import type { Clock } from '../clock.ts'
import type { Logger } from '../log.ts'
import { createEngineConnections } from './engine-connections.ts'
import { type Exchange, type ForwardOutcome, forward } from './forward.ts'
import { Hold, type HoldEnd } from './hold.ts'
import type { InFlight } from './in-flight.ts'
import { errorEvent, type OwnError } from './own-answer.ts'
import { breakOff, sendOwnError } from './send.ts'
import type { Upstream, UpstreamSource } from './upstream.ts'

type Ready = Extract<Upstream, { kind: 'ready' }>

/** An answer of the engine, as far as it tells how the engine is. */
export interface EngineAnswer {
  readonly runId: number
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly status: number
  /** Of an event stream the end, of an error the beginning, of everything else nothing. */
  readonly sample: string
}

export interface EngineRequestsOptions {
  readonly upstream: UpstreamSource
  readonly holdTimeoutMs: number
  readonly clock: Pick<Clock, 'monotonicMs' | 'sleep'>
  readonly log: Logger
  readonly inFlight: InFlight
  /** Told of each answer that reached its client. */
  readonly onAnswer: (answer: EngineAnswer) => void
  /** Aborts when the port closes: whoever still waits is told. */
  readonly closing: AbortSignal
}

/** A full accept queue clears within a moment; a dying engine is soon reported as a change anyway. */
const RECONNECT_DELAYS_MS = [25, 50, 100, 250, 500, 1000]

export class EngineRequests {
  readonly #options: EngineRequestsOptions
  readonly #connections = createEngineConnections()

  constructor(options: EngineRequestsOptions) {
    this.#options = options
    // One listener for each request at work; Node takes more than ten for a leak.
    setMaxListeners(0, options.closing)
  }

  /** Answers one request; resolves when nothing more will happen with it. */
  async answer(exchange: Exchange): Promise<void> {
    const { upstream, closing } = this.#options
    const now = upstream.current()
    // The usual case needs nothing of what waiting needs.
    if (now.kind !== 'ready' || closing.aborted) return this.#holdAndAnswer(exchange, undefined)
    const refused = await this.#forward(exchange, now)
    if (refused !== null) await this.#holdAndAnswer(exchange, refused)
  }

  /** Destroys every connection to the engine; their clients are told as if the engine had died. */
  closeUpstream(): void {
    this.#connections.endAll(new Error('the connection was closed'))
  }

  async #holdAndAnswer(exchange: Exchange, refused: string | undefined): Promise<void> {
    const gone = new AbortController()
    const leave = (): void => gone.abort()
    const { closing } = this.#options
    exchange.res.once('close', leave)
    closing.addEventListener('abort', leave, { once: true })
    if (closing.aborted || exchange.res.destroyed) leave()
    try {
      await this.#untilAnswered(exchange, gone.signal, refused)
    } finally {
      exchange.res.off('close', leave)
      closing.removeEventListener('abort', leave)
    }
  }

  async #untilAnswered(
    exchange: Exchange,
    signal: AbortSignal,
    refusedBefore: string | undefined,
  ): Promise<void> {
    const { inFlight, upstream: source } = this.#options
    const hold = new Hold({ ...this.#options, source, signal })
    let pause = refusedBefore === undefined ? undefined : pauseAfter(0, refusedBefore)
    for (let attempt = 1; ; attempt += 1) {
      const end = await inFlight.held(() => hold.wait(pause))
      if (end.kind !== 'ready') return this.#notForwarded(exchange, end)
      const refused = await this.#forward(exchange, end)
      if (refused === null) return
      pause = pauseAfter(attempt, refused)
    }
  }

  /** Resolves to `null` once the client has been told, or to why the engine took no connection. */
  async #forward(exchange: Exchange, { socketPath, runId }: Ready): Promise<string | null> {
    const outcome = await this.#options.inFlight.during(() =>
      forward(exchange, socketPath, this.#connections),
    )
    if (outcome.kind === 'not-sent') return outcome.reason
    if (outcome.kind === 'answered') {
      const { status, sample } = outcome
      const { method = 'GET', url: path = '/' } = exchange.req
      this.#options.onAnswer({ runId, method, path, status, sample })
    }
    this.#conclude(exchange, outcome)
    return null
  }

  #notForwarded(exchange: Exchange, end: Exclude<HoldEnd, { kind: 'ready' }>): void {
    switch (end.kind) {
      case 'unavailable':
        return this.#fail(exchange, {
          status: 503,
          code: 'engine_unavailable',
          message: `Cannot answer: ${end.message}`,
          hint: end.hint,
          retryAfterS: 30,
        })
      case 'timeout':
        return this.#fail(exchange, {
          status: 503,
          code: 'engine_not_ready',
          message: `Cannot answer yet: ${end.message}`,
          hint: 'oss20bd status shows what it is doing',
          retryAfterS: 5,
        })
      case 'aborted':
        if (exchange.res.destroyed) return
        return this.#fail(exchange, {
          status: 503,
          code: 'stopping',
          message: 'Cannot answer: oss20bd is stopping',
          retryAfterS: 5,
        })
    }
  }

  #conclude(exchange: Exchange, outcome: Exclude<ForwardOutcome, { kind: 'not-sent' }>): void {
    switch (outcome.kind) {
      case 'answered':
        this.#options.inFlight.served()
        exchange.req.resume()
        return
      case 'client-gone':
        return
      case 'not-sendable':
        return sendOwnError(exchange, {
          status: 400,
          code: 'bad_request',
          message: `Cannot pass the request on: ${outcome.reason}`,
        })
      case 'died':
        return this.#died(exchange, outcome)
    }
  }

  #died(exchange: Exchange, outcome: Extract<ForwardOutcome, { kind: 'died' }>): void {
    const { reason, answerStarted, bytesToClient, betweenEvents } = outcome
    this.#options.log.warn('answer cut off by the engine', { reason, answerStarted, bytesToClient })
    const error: OwnError = {
      status: 502,
      code: 'engine_died',
      message: `Cannot finish the answer: the connection to the engine ended (${reason})`,
      retryAfterS: 1,
    }
    if (!answerStarted) return this.#fail(exchange, error)
    this.#options.inFlight.failed()
    if (betweenEvents) exchange.res.end(errorEvent(error))
    else breakOff(exchange)
  }

  #fail(exchange: Exchange, error: OwnError): void {
    this.#options.inFlight.failed()
    sendOwnError(exchange, error)
  }
}

function pauseAfter(attempt: number, refused: string): { delayMs: number; reason: string } {
  const delayMs = RECONNECT_DELAYS_MS[attempt] ?? 1000
  return { delayMs, reason: `the engine takes no connection: ${refused}` }
}
