/** The public port: judges each request, answers what is ours, hands the rest to the engine. */
import http from 'node:http'
import { Server, type Socket } from 'node:net'
import { messageOf } from '../errors.ts'
import { type Access, judgeAccess } from './access-policy.ts'
import { ByteBudget } from './admission/byte-budget.ts'
import { createGate, type Gate } from './admission/gate.ts'
import { apiOf } from './api.ts'
import { clientNameOf } from './client-name.ts'
import { Connections } from './connections.ts'
import { createEngineConnections } from './engine-connections.ts'
import { EngineRequests } from './engine-requests.ts'
import type { Exchange } from './exchange.ts'
import type { PortTaker } from './hand-over.ts'
import { valuesOf } from './headers.ts'
import { InFlight } from './in-flight.ts'
import type { KeepOptions } from './kept-body.ts'
import { letIn } from './let-in.ts'
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
import { within } from './within.ts'

export interface ProxyServer {
  /** Throws `port-taken` or `config-invalid`. `isComing`: whoever has the port is about to let go of it. */
  listen(isComing?: () => boolean): Promise<{ url: string }>
  /** Takes a connection that was made at another port: it is judged, limited and answered as those made here. */
  accept(socket: Socket): void
  counts(): ProxyCounts
  /** Requests that wait for their turn, the next one first. */
  waiting(): ReturnType<Gate['waiting']>
  /** How many requests the engine works on at once; null: it does not tell. */
  setSlots(slots: number | null): void
  /** Waits until no request is with the engine (held ones do not count), `timeoutMs` has passed or `signal` aborts. */
  drain(timeoutMs: number, signal?: AbortSignal): Promise<{ unfinished: number }>
  /** Destroys every connection to the engine. */
  closeUpstream(): void
  /**
   * Gives the port away, and with it every connection that has no request or one without an answer, now and as they
   * become so. What the engine works on is answered here. `listen` takes the port back. Rejects when nothing was given.
   */
  handOver(taker: PortTaker): Promise<void>
  /** Takes no more connections, tells held requests 503, breaks off what still runs. */
  close(): Promise<void>
}

const MAX_CHECK_INTERVAL_MS = 10_000

/** How long `close` lets last answers reach their clients. */
const CLOSE_GRACE_MS = 1000
/** How long `close` lets a taker take: ten thousand connections, one after the other. */
const GIVE_GRACE_MS = 10_000

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
  readonly #connections = new Connections()
  /** Who has the port now; null: we have it. */
  #taker: PortTaker | null = null

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
    this.#server.on('connection', (socket) => this.#connections.opened(socket))
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

  async listen(isComing?: () => boolean): Promise<{ url: string }> {
    const { findPortHolder } = this.#options
    const { url } = await listenOn(this.#server, this.#options, findPortHolder, isComing)
    this.#taker = null
    this.#connections.giveIdle(null)
    this.#engineRequests.handOver(null)
    this.#options.log.info('public port open', { url })
    return { url }
  }

  accept(socket: Socket): void {
    this.#server.emit('connection', socket)
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
    await within(timeoutMs, this.#inFlight.idle(), this.#options.clock, signal)
    return { unfinished: this.counts().inFlight }
  }

  closeUpstream(): void {
    this.#engineRequests.closeUpstream()
  }

  async handOver(taker: PortTaker): Promise<void> {
    if (this.#taker !== null) return
    await taker.takeListener(this.#server)
    this.#taker = taker
    // Not http's own close, which ends the connections that are idle.
    Server.prototype.close.call(this.#server)
    this.#engineRequests.handOver(({ req }, body) => this.#connections.giveAsked(taker, req, body))
    this.#connections.giveIdle(taker)
    this.#options.log.info('public port handed over')
  }

  async close(): Promise<void> {
    const taker = this.#taker
    if (!this.#server.listening && taker === null) return
    // One that is handed over is closed already, and Node does not tell when connections that were given away end.
    const closed = taker === null ? this.#closeListener() : undefined
    this.#closing.abort()
    this.closeUpstream()
    await within(CLOSE_GRACE_MS, this.#connections.allAnswered(), this.#options.clock)
    if (taker !== null) await within(GIVE_GRACE_MS, taker.hasAll(), this.#options.clock)
    this.#server.closeAllConnections()
    await closed
    this.#options.log.info('public port closed')
  }

  #closeListener(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
    })
  }

  #onRequest(exchange: Exchange): void {
    const { req, res } = exchange
    this.#connections.begun(exchange)
    // A client that leaves shows as `close` of the answer; its errors say nothing more.
    req.on('error', ignore)
    res.on('error', ignore)
    this.#oneAtATime.begin(exchange, () => {
      void this.#answer(exchange).catch((error: unknown) => this.#bug(exchange, error))
    })
  }

  async #answer(exchange: Exchange): Promise<void> {
    const { rawHeaders, url, method } = exchange.req
    const access = this.#judge(exchange)
    if (access.kind === 'refused') return sendOwn(exchange, ownError(access))
    const route = routeOf(method ?? 'GET', url ?? '', rawHeaders)
    const token = letIn(exchange.req, this.#options)
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
      case 'ollama':
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
