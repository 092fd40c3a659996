/** The public port: judges each request, answers what is ours, hands the rest to the engine. */
import http from 'node:http'
import { messageOf } from '../errors.ts'
import { type Access, judgeAccess } from './access-policy.ts'
import { ByteBudget } from './admission/byte-budget.ts'
import { createGate, type Gate } from './admission/gate.ts'
import { apiOf } from './api.ts'
import { clientNameOf } from './client-name.ts'
import { createEngineConnections } from './engine-connections.ts'
import { EngineRequests } from './engine-requests.ts'
import type { Exchange } from './exchange.ts'
import { valuesOf } from './headers.ts'
import { InFlight } from './in-flight.ts'
import type { KeepOptions } from './kept-body.ts'
import { listenOn } from './listen.ts'
import { OneAtATime } from './one-at-a-time.ts'
import {
  healthAnswer,
  modelAnswer,
  modelsAnswer,
  type OwnAnswer,
  type OwnError,
  ownError,
  preflightAnswer,
  readOnlyAnswer,
} from './own-answer.ts'
import { routeError } from './route-error.ts'
import { routeOf } from './route.ts'
import { breakOff, sendOwn, sendOwnError, sendOwnReadable } from './send.ts'
import { unauthorizedAnswer } from './tokens.ts'
import { answerUnreadable, refuseTunnel } from './unreadable.ts'
import type { ProxyServerOptions } from './proxy-options.ts'
import type { ProxyCounts } from './upstream.ts'

export interface ProxyServer {
  /** Throws `port-taken` or `config-invalid`. */
  listen(): Promise<{ url: string }>
  counts(): ProxyCounts
  /** Requests that wait for their turn, the next one first. */
  waiting(): ReturnType<Gate['waiting']>
  /** How many requests the engine works on at once; null: it does not tell. */
  setSlots(slots: number | null): void
  /** Waits until no request is with the engine (held ones do not count), `timeoutMs` has passed or `signal` aborts. */
  drain(timeoutMs: number, signal?: AbortSignal): Promise<{ unfinished: number }>
  /** Destroys every connection to the engine. */
  closeUpstream(): void
  /** Takes no more connections, tells held requests 503, breaks off what still runs. */
  close(): Promise<void>
}

const MAX_CHECK_INTERVAL_MS = 10_000

/** How long `close` lets last answers reach their clients. */
const CLOSE_GRACE_MS = 1000

/**
 * A client that leaves is noticed only while its body can still be read from the socket, and a held body is
 * read no further than this: large enough for the prompts people send, small enough to hold many.
 */
const READ_AHEAD_BYTES = 256 * 1024

export function createProxyServer(options: ProxyServerOptions): ProxyServer {
  return new PublicPort(options)
}

class PublicPort implements ProxyServer {
  readonly #options: ProxyServerOptions
  readonly #inFlight: InFlight
  readonly #closing = new AbortController()
  readonly #engineRequests: EngineRequests
  readonly #gate: Gate
  readonly #server: http.Server
  readonly #oneAtATime = new OneAtATime()
  readonly #unanswered = new Set<http.ServerResponse>()

  constructor(options: ProxyServerOptions) {
    this.#options = options
    this.#inFlight = new InFlight(options.onBusy)
    this.#gate = gateOf(options)
    this.#engineRequests = new EngineRequests({
      ...options,
      gate: this.#gate,
      inFlight: this.#inFlight,
      connections: createEngineConnections(),
      keep: keepOptions(options),
      closing: this.#closing.signal,
    })
    const { headersTimeoutMs } = options.limits
    this.#server = http.createServer({
      // A long prompt or a slow upload is no fault; only the headers must come soon.
      requestTimeout: 0,
      headersTimeout: headersTimeoutMs,
      // Else it would be looked at every 30 s only.
      connectionsCheckingInterval: Math.min(headersTimeoutMs / 4, MAX_CHECK_INTERVAL_MS),
      keepAliveTimeout: 75_000,
      highWaterMark: READ_AHEAD_BYTES,
      // Judged by the access policy, which explains itself.
      requireHostHeader: false,
    })
    this.#server.maxConnections = options.limits.connections
    // Their bytes are bounded. Of more than so many Node would drop the rest, and with it a Host or Origin to be judged.
    this.#server.maxHeadersCount = 0
    this.#server.on('request', (req, res) => this.#onRequest({ req, res, expectsContinue: false }))
    this.#server.on('checkContinue', (req: http.IncomingMessage, res: http.ServerResponse) =>
      this.#onRequest({ req, res, expectsContinue: true }),
    )
    this.#server.on('checkExpectation', (req: http.IncomingMessage, res: http.ServerResponse) =>
      sendOwn({ req, res, expectsContinue: true }, ownError(unknownExpectation)),
    )
    this.#server.on('clientError', (error, socket) =>
      answerUnreadable(error, socket, headersTimeoutMs),
    )
    this.#server.on('connect', refuseTunnel)
  }

  async listen(): Promise<{ url: string }> {
    const { url } = await listenOn(this.#server, this.#options, this.#options.findPortHolder)
    this.#options.log.info('public port open', { url })
    return { url }
  }

  counts(): ProxyCounts {
    const { replays, continuations } = this.#options.requests.totals()
    const { queued } = this.#gate.counts()
    return { ...this.#inFlight.counts(), queued, replayed: replays, continued: continuations }
  }

  waiting(): ReturnType<Gate['waiting']> {
    return this.#gate.waiting()
  }

  setSlots(slots: number | null): void {
    this.#gate.setSlots(slots)
  }

  async drain(timeoutMs: number, signal?: AbortSignal): Promise<{ unfinished: number }> {
    await this.#within(timeoutMs, this.#inFlight.idle(), signal)
    return { unfinished: this.counts().inFlight }
  }

  closeUpstream(): void {
    this.#engineRequests.closeUpstream()
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve())
    })
    this.#closing.abort()
    this.closeUpstream()
    await this.#within(CLOSE_GRACE_MS, this.#allAnswered())
    this.#server.closeAllConnections()
    await closed
    this.#options.log.info('public port closed')
  }

  #onRequest(exchange: Exchange): void {
    const { req, res } = exchange
    // A client that leaves shows as `close` of the answer; its errors say nothing more.
    req.on('error', ignore)
    res.on('error', ignore)
    this.#oneAtATime.begin(exchange, () => {
      this.#unanswered.add(res)
      res.once('close', () => this.#unanswered.delete(res))
      void this.#answer(exchange).catch((error: unknown) => this.#bug(exchange, error))
    })
  }

  async #answer(exchange: Exchange): Promise<void> {
    const { rawHeaders, url, method } = exchange.req
    const access = this.#judge(exchange)
    if (access.kind === 'refused') return sendOwn(exchange, ownError(access))
    const route = routeOf(method ?? 'GET', url ?? '', rawHeaders)
    const token = this.#options.tokens.check(rawHeaders)
    const api = apiOf(method ?? 'GET', url ?? '')
    // Whether it is there may be asked by anybody; a browser asks before it sends its token.
    const isOpen = route.kind === 'health' || method === 'OPTIONS'
    if (token.kind === 'refused' && !isOpen) {
      return sendOwnReadable(exchange, unauthorizedAnswer(api, token))
    }
    switch (route.kind) {
      case 'engine': {
        if (method === 'OPTIONS') return this.#preflight(exchange, false)
        const tokenName = token.kind === 'ok' ? token.name : null
        return this.#engineRequests.answer(exchange, {
          client: clientNameOf(exchange.req, tokenName),
          api,
        })
      }
      case 'health':
        return this.#own(exchange, healthAnswer(this.#options.upstream.current()))
      case 'models':
        return this.#own(exchange, modelsAnswer(this.#options.names.all))
      case 'model':
        return this.#own(exchange, modelAnswer(route.id, this.#options.names.all))
      case 'page':
        if (this.#options.page(route.path, exchange.req, exchange.res)) return
        return sendOwnError(exchange, routeError(route))
      case 'closed':
        return sendOwnError(exchange, routeError(route))
      case 'refused':
        // Its client may mean another protocol, or another end of the body, with what follows.
        exchange.res.shouldKeepAlive = false
        return sendOwnError(exchange, routeError(route))
    }
  }

  #judge({ req: { rawHeaders, httpVersion } }: Exchange): Access {
    const { allowedHosts, allowedOrigins } = this.#options
    const hosts = valuesOf(rawHeaders, 'host')
    const origins = valuesOf(rawHeaders, 'origin')
    return judgeAccess({ hosts, origins, httpVersion, allowedHosts, allowedOrigins })
  }

  #own(exchange: Exchange, answer: OwnAnswer): void {
    const { method } = exchange.req
    if (method === 'GET' || method === 'HEAD') return sendOwnReadable(exchange, answer)
    if (method === 'OPTIONS') return this.#preflight(exchange, true)
    sendOwnReadable(exchange, readOnlyAnswer(method ?? 'do that'))
  }

  /** Never the engine's to answer: a browser does not wait for a model to load. */
  #preflight(exchange: Exchange, isOurs: boolean): void {
    const requested = exchange.req.headers['access-control-request-headers']
    sendOwnReadable(exchange, preflightAnswer(requested, isOurs))
  }

  #bug(exchange: Exchange, error: unknown): void {
    this.#options.log.error('request failed by a fault of oss20bd', { error: messageOf(error) })
    this.#inFlight.failed()
    if (exchange.res.headersSent) return breakOff(exchange)
    sendOwnError(exchange, {
      status: 500,
      code: 'internal',
      message: `Cannot answer: ${messageOf(error)}, a fault of oss20bd`,
    })
  }

  /** Resolves when every answer begun has reached its client. */
  async #allAnswered(): Promise<void> {
    const ends = [...this.#unanswered].map(
      (res) => new Promise<void>((resolve) => res.once('close', () => resolve())),
    )
    await Promise.all(ends)
  }

  async #within(timeoutMs: number, work: Promise<void>, signal?: AbortSignal): Promise<void> {
    const either = new AbortController()
    const abort = (): void => either.abort()
    signal?.addEventListener('abort', abort, { once: true })
    if (signal?.aborted === true) abort()
    const patience = this.#options.clock.sleep(timeoutMs, either.signal).catch(ignore)
    await Promise.race([work, patience])
    signal?.removeEventListener('abort', abort)
    either.abort()
  }
}

/** `null` slots: nobody has told yet how many there are. */
function gateOf({ clock, limits }: ProxyServerOptions): Gate {
  const { queued: maxQueued, heldBytes: maxQueuedBytes } = limits
  return createGate({ slots: null, maxQueued, maxQueuedBytes, clock })
}

function keepOptions({ limits, clock }: ProxyServerOptions): KeepOptions {
  return {
    limitBytes: limits.keepBytes,
    maxBytes: limits.bodyBytes,
    uploadTimeoutMs: limits.uploadTimeoutMs,
    budget: new ByteBudget(limits.heldBytes),
    clock,
  }
}

const unknownExpectation: OwnError = {
  status: 417,
  code: 'expectation_failed',
  message: 'Cannot do what the header Expect asks for: it must be 100-continue',
}

function ignore(): void {}
