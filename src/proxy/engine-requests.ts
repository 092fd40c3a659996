/** Takes each request for the engine from its body to its end, and tells its client how it ended. */
import type { OpenRequest } from './accounting/request.ts'
import type { RequestLog } from './accounting/request-log.ts'
import type { Gate } from './admission/gate.ts'
import type { ModelNames } from './aliases.ts'
import { AnswerRelay } from './answer-relay.ts'
import type { Api } from './api.ts'
import { type Asked, readAsked } from './asked.ts'
import { ClientAnswer } from './client-answer.ts'
import { drain } from './drain.ts'
import type { Exchange } from './exchange.ts'
import type { KeepOptions, WholeBody } from './kept-body.ts'
import { Leaving } from './leaving.ts'
import type { OwnError } from './own-answer.ts'
import * as refusals from './refusals.ts'
import { sendOwnError } from './send.ts'
import { brokenStreamEnd } from './stream/broken-stream.ts'
import { type Ending, Tries, type TryDoors } from './tries.ts'
import { waitForTurn } from './turn.ts'

export interface EngineRequestsOptions extends TryDoors {
  readonly gate: Gate
  readonly names: ModelNames
  readonly requests: RequestLog
  readonly keep: KeepOptions
  /** Aborts when the port closes: whoever still waits is told. */
  readonly closing: AbortSignal
}

/** Who asks, and in which API. */
export interface Asker {
  /** The name of its token, else the app's. */
  readonly client: string
  /** null: it takes no slot. */
  readonly api: Api | null
}

/** Gives the request with its connection to another process; false when it cannot. */
type PassOn = (exchange: Exchange, body: WholeBody | null) => boolean

type Outcome = Parameters<OpenRequest['end']>[0]['outcome']

export class EngineRequests {
  readonly #options: EngineRequestsOptions
  /** Of each request at work; null while it has not come to its turn. */
  readonly #leavings = new Map<Leaving, Tries | null>()
  /** Another process takes what the engine has not begun with. */
  #passOn: PassOn | null = null

  constructor(options: EngineRequestsOptions) {
    this.#options = options
    const leaveAll = (): void => {
      for (const leaving of this.#leavings.keys()) leaving.come()
    }
    options.closing.addEventListener('abort', leaveAll, { once: true })
  }

  /** Answers one request; resolves when nothing more will happen with it. */
  async answer(exchange: Exchange, asker: Asker): Promise<void> {
    const { closing, requests } = this.#options
    const { method = 'GET', url: path = '/' } = exchange.req
    const record = requests.begin({ ...asker, method, path, alias: null, bytes: null })
    const leaving = new Leaving()
    const { res } = exchange
    const leave = (): void => leaving.come()
    res.once('close', leave)
    this.#leavings.set(leaving, null)
    record.onCancel(leave)
    if (closing.aborted || res.destroyed || this.#passOn !== null) leave()
    let outcome: Outcome = 'failed'
    try {
      outcome = await this.#answer(exchange, asker.api, record, leaving)
    } finally {
      res.off('close', leave)
      this.#leavings.delete(leaving)
      const { headersSent, statusCode } = res
      record.end({ status: headersSent ? statusCode : null, outcome })
    }
  }

  /**
   * From now on every request without a word of an answer is passed on: those that wait at once, those that
   * the engine has when it does not answer them. null: the engine's again.
   */
  handOver(passOn: PassOn | null): void {
    this.#passOn = passOn
    if (passOn === null) return
    for (const [leaving, tries] of this.#leavings) if (tries?.isWithEngine !== true) leaving.come()
  }

  /** Destroys every connection to the engine; their requests go on as if it had died. */
  closeUpstream(): void {
    this.#options.connections.endAll(new Error('the connection was closed'))
  }

  async #answer(
    exchange: Exchange,
    api: Api | null,
    record: OpenRequest,
    leaving: Leaving,
  ): Promise<Outcome> {
    const { upstream, names, keep } = this.#options
    const now = upstream.current()
    if (now.kind === 'unavailable' && this.#passOn === null) {
      return this.#refuse(exchange, 'failed', refusals.unavailable(now.message, now.hint))
    }
    const asking = await readAsked(exchange, api, names, keep)
    if (asking.kind !== 'asked') {
      const error = refusals.bodyRefused(asking)
      return error === null ? 'client-gone' : this.#refuse(exchange, 'refused', error)
    }
    try {
      const { model: alias, keptBytes: bytes } = asking.asked
      record.asks({ alias, bytes })
      return await this.#untilEnded(exchange, asking.asked, record, leaving)
    } finally {
      asking.release()
    }
  }

  async #untilEnded(
    exchange: Exchange,
    asked: Asked,
    record: OpenRequest,
    leaving: Leaving,
  ): Promise<Outcome> {
    const answer = new ClientAnswer(exchange, {
      onFirstByte: () => record.firstByte(),
      ownHeaders: () => waitHeaders(record),
      onDrain: () => tries.resume(),
    })
    const relay = new AnswerRelay(asked.api, asked.streamRequest, answer)
    const tries = new Tries(this.#options, { asked, record, answer, relay, leaving })
    this.#leavings.set(leaving, tries)
    leaving.onCome(() => tries.stop())
    const ending = await this.#inTurn(asked, record, leaving, tries)
    record.seen(relay.tokens ?? {})
    return this.#conclude(exchange, asked, record, answer, ending)
  }

  async #inTurn(
    asked: Asked,
    record: OpenRequest,
    leaving: Leaving,
    tries: Tries,
  ): Promise<Ending> {
    const { gate, upstream: source } = this.#options
    if (asked.api === null) return tries.run()
    let turn = gate.enterNow()
    if (turn === null) {
      record.queued()
      const ticket = { id: record.id, client: record.client, bytes: asked.keptBytes }
      const { signal } = leaving
      const waited = await waitForTurn(gate, ticket, { ...this.#options, source, signal })
      if (waited.kind === 'aborted') return { kind: 'stopped' }
      if (waited.kind !== 'in') return waited
      turn = waited
    }
    try {
      return await tries.run()
    } finally {
      turn.release(tries.servedMs)
    }
  }

  async #conclude(
    exchange: Exchange,
    asked: Asked,
    record: OpenRequest,
    answer: ClientAnswer,
    ending: Ending,
  ): Promise<Outcome> {
    const { inFlight } = this.#options
    const isUnanswered = ending.kind === 'stopped' || ending.kind === 'failed'
    if (isUnanswered && !record.isCancelled && this.#passesOn(exchange, asked)) return 'passed-on'
    switch (ending.kind) {
      case 'answered':
        inFlight.served()
        drain(exchange.req)
        return 'answered'
      case 'refused':
      case 'failed':
        return this.#refuse(exchange, ending.kind, ending.error)
      case 'broken':
        return this.#break(asked, answer, ending.error)
      case 'stopped': {
        if (exchange.res.destroyed || exchange.res.writableFinished) return 'client-gone'
        const error = record.isCancelled ? refusals.cancelled : refusals.stopping
        return answer.started
          ? this.#break(asked, answer, error)
          : this.#refuse(exchange, 'failed', error)
      }
    }
  }

  #passesOn(exchange: Exchange, { body }: Asked): boolean {
    const { res } = exchange
    if (this.#passOn === null || res.headersSent || res.destroyed) return false
    return body?.kind === 'too-large' ? false : this.#passOn(exchange, body)
  }

  #refuse(exchange: Exchange, outcome: 'refused' | 'failed', error: OwnError): Outcome {
    if (exchange.res.destroyed) return 'client-gone'
    if (outcome === 'failed') this.#options.inFlight.failed()
    sendOwnError(exchange, error)
    return outcome
  }

  #break({ api }: Asked, answer: ClientAnswer, error: OwnError): Outcome {
    this.#options.inFlight.failed()
    answer.break(brokenStreamEnd(api ?? 'native', error))
    return 'broken'
  }
}

/** How long it waited before the engine had it, where it did: a client can tell a busy engine from a slow one. */
function waitHeaders({ queuedMs, heldMs }: OpenRequest): Record<string, string> {
  const headers: Record<string, string> = {}
  if (queuedMs > 0) headers['X-Oss20bd-Queued-Ms'] = String(Math.round(queuedMs))
  if (heldMs > 0) headers['X-Oss20bd-Held-Ms'] = String(Math.round(heldMs))
  return headers
}
