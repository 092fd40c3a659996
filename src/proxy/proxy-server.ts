/** The public port: judges each request, answers what is ours, hands the rest to the engine. */
import http from 'node:http'
import type { Clock } from '../clock.ts'
import type { Logger } from '../log.ts'
import { messageOf } from '../errors.ts'
import { assertSafeBind, judgeAccess } from './access-policy.ts'
import { EngineRequests, type EngineRequestsOptions } from './engine-requests.ts'
import type { Exchange } from './forward.ts'
import { valuesOf } from './headers.ts'
import { InFlight } from './in-flight.ts'
import { type FindPortHolder, listenOn } from './listen.ts'
import {
  healthAnswer,
  modelsAnswer,
  type OwnAnswer,
  type OwnError,
  ownError,
  preflightAnswer,
  readOnlyAnswer,
} from './own-answer.ts'
import { type Route, routeOf } from './route.ts'
import { breakOff, sendOwn, sendOwnError, sendOwnReadable } from './send.ts'
import { answerUnreadable, refuseTunnel } from './unreadable.ts'
import type { ProxyCounts, UpstreamSource } from './upstream.ts'

export interface ProxyServerOptions {
  /** A loopback address. */
  readonly host: string
  /** 0 takes a free port. */
  readonly port: number
  /** The model names of `/v1/models`. */
  readonly models: readonly string[]
  /** How long a request waits for an engine that shows no progress. */
  readonly holdTimeoutMs: number
  readonly allowedHosts: readonly string[]
  readonly allowedOrigins: readonly string[]
  readonly upstream: UpstreamSource
  /** Told of each answer of the engine that reached its client. */
  readonly onAnswer: EngineRequestsOptions['onAnswer']
  /** Told when the first request goes to the engine, and when the last is over. */
  readonly onBusy: (isBusy: boolean) => void
  readonly clock: Pick<Clock, 'monotonicMs' | 'sleep'>
  readonly log: Logger
  readonly findPortHolder: FindPortHolder
}

export interface ProxyServer {
  /** Throws `unsafe-bind`, `port-taken` or `config-invalid`. */
  listen(): Promise<{ url: string }>
  counts(): ProxyCounts
  /** Waits until no request is with the engine (held ones do not count), `timeoutMs` has passed or `signal` aborts. */
  drain(timeoutMs: number, signal?: AbortSignal): Promise<{ unfinished: number }>
  /** Destroys every connection to the engine. */
  closeUpstream(): void
  /** Takes no more connections, tells held requests 503, breaks off what still runs. */
  close(): Promise<void>
}

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
  readonly #server: http.Server
  readonly #unanswered = new Set<http.ServerResponse>()

  constructor(options: ProxyServerOptions) {
    this.#options = options
    this.#inFlight = new InFlight(options.onBusy)
    const closing = this.#closing.signal
    this.#engineRequests = new EngineRequests({ ...options, inFlight: this.#inFlight, closing })
    this.#server = http.createServer({
      // A long prompt or a slow upload is no fault; only the headers must come soon.
      requestTimeout: 0,
      headersTimeout: 60_000,
      keepAliveTimeout: 75_000,
      highWaterMark: READ_AHEAD_BYTES,
      // Judged by the access policy, which explains itself.
      requireHostHeader: false,
    })
    this.#server.on('request', (req, res) => this.#onRequest({ req, res, expectsContinue: false }))
    this.#server.on('checkContinue', (req: http.IncomingMessage, res: http.ServerResponse) =>
      this.#onRequest({ req, res, expectsContinue: true }),
    )
    this.#server.on('clientError', answerUnreadable)
    this.#server.on('connect', refuseTunnel)
  }

  async listen(): Promise<{ url: string }> {
    assertSafeBind(this.#options.host)
    const { url } = await listenOn(this.#server, this.#options, this.#options.findPortHolder)
    this.#options.log.info('public port open', { url })
    return { url }
  }

  counts(): ProxyCounts {
    return this.#inFlight.counts()
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
    this.#unanswered.add(res)
    res.once('close', () => this.#unanswered.delete(res))
    // A client that leaves shows as `close` of the answer; its errors say nothing more.
    req.on('error', ignore)
    res.on('error', ignore)
    void this.#answer(exchange).catch((error: unknown) => this.#bug(exchange, error))
  }

  async #answer(exchange: Exchange): Promise<void> {
    const { rawHeaders, url, httpVersion } = exchange.req
    const access = judgeAccess({
      hosts: valuesOf(rawHeaders, 'host'),
      origins: valuesOf(rawHeaders, 'origin'),
      httpVersion,
      allowedHosts: this.#options.allowedHosts,
      allowedOrigins: this.#options.allowedOrigins,
    })
    if (access.kind === 'refused') return sendOwn(exchange, ownError(access))
    const route = routeOf(url ?? '', rawHeaders)
    switch (route.kind) {
      case 'engine':
        return this.#engineRequests.answer(exchange)
      case 'health':
        return this.#own(exchange, healthAnswer(this.#options.upstream.current()))
      case 'models':
        return this.#own(exchange, modelsAnswer(this.#options.models))
      case 'own-unknown':
      case 'refused':
        return sendOwnError(exchange, routeError(route))
    }
  }

  #own(exchange: Exchange, answer: OwnAnswer): void {
    const { method, headers } = exchange.req
    if (method === 'GET' || method === 'HEAD') return sendOwnReadable(exchange, answer)
    if (method === 'OPTIONS') {
      const requested = headers['access-control-request-headers']
      return sendOwnReadable(exchange, preflightAnswer(requested))
    }
    sendOwnReadable(exchange, readOnlyAnswer(method ?? 'do that'))
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

function routeError(route: Extract<Route, { kind: 'own-unknown' | 'refused' }>): OwnError {
  if (route.kind === 'own-unknown') {
    const message = `Cannot find ${route.path}: it is kept for oss20bd, and nothing is there`
    return { status: 404, code: 'not_found', message }
  }
  const code = route.status === 501 ? 'not_supported' : 'bad_request'
  return { status: route.status, code, message: route.message }
}

function ignore(): void {}
