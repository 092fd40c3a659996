/** Streams one request to the engine's socket and its answer back; leaving on either side reaches the other. */
import http from 'node:http'
import { messageOf } from '../errors.ts'
import { toClient, toEngine } from './headers.ts'

/** One request of a client, and where its answer goes. */
export interface Exchange {
  readonly req: http.IncomingMessage
  readonly res: http.ServerResponse
  /** The client waits for `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean
}

export type ForwardOutcome =
  /** The engine's answer, whatever its status, reached the client whole. */
  | { readonly kind: 'answered' }
  | { readonly kind: 'client-gone' }
  /** No byte went to the engine and none was taken from the client: it can be forwarded again. */
  | { readonly kind: 'not-sent'; readonly reason: string }
  /** The request itself cannot be written as HTTP. */
  | { readonly kind: 'not-sendable'; readonly reason: string }
  | {
      readonly kind: 'died'
      readonly reason: string
      /** The status and the headers have gone to the client. */
      readonly answerStarted: boolean
      /** How much of the answer's body has gone to the client. */
      readonly bytesToClient: number
      /** The answer is an event stream that ended between two events: one more can follow. */
      readonly betweenEvents: boolean
    }

/** No pooled connections: the engine closes an idle one after 5 s, and a request that meets that is lost. */
const agent = new http.Agent({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY })

/** `open` holds the request while it is with the engine; destroying it there ends it as `died`. */
export function forward(
  exchange: Exchange,
  socketPath: string,
  open: Set<http.ClientRequest>,
): Promise<ForwardOutcome> {
  return new Promise((resolve) => {
    new Transfer(exchange, open, resolve).start(socketPath)
  })
}

class Transfer {
  readonly #exchange: Exchange
  readonly #open: Set<http.ClientRequest>
  readonly #resolve: (outcome: ForwardOutcome) => void
  #upstream: http.ClientRequest | undefined
  #answer: http.IncomingMessage | undefined
  #connected = false
  #settled = false
  #bytesToClient = 0
  #tail = '\n\n'

  constructor(
    exchange: Exchange,
    open: Set<http.ClientRequest>,
    resolve: (outcome: ForwardOutcome) => void,
  ) {
    this.#exchange = exchange
    this.#open = open
    this.#resolve = resolve
  }

  start(socketPath: string): void {
    const { req, res } = this.#exchange
    if (res.destroyed) return this.#settle({ kind: 'client-gone' })
    const method = req.method ?? 'GET'
    let upstream
    try {
      const headers = toEngine(method, req.rawHeaders)
      upstream = http.request({ agent, socketPath, method, path: req.url ?? '/', headers })
    } catch (error) {
      return this.#settle({ kind: 'not-sendable', reason: messageOf(error) })
    }
    this.#upstream = upstream
    this.#open.add(upstream)
    upstream.on('socket', (socket) => socket.once('connect', () => this.#send(upstream)))
    upstream.on('response', (answer) => this.#pass(answer))
    upstream.on('error', (error) => this.#broke(error))
    res.once('close', this.#onClientClose)
    // Without a body there is nothing to lose: it may lie ready before there is a connection.
    if (!hasBody(req)) upstream.end()
  }

  /** The body is taken from the client only now, so that a request that meets no engine is still whole. */
  #send(upstream: http.ClientRequest): void {
    const { req, res, expectsContinue } = this.#exchange
    this.#connected = true
    if (!hasBody(req)) return
    if (expectsContinue) res.writeContinue()
    // Not pipeline(): that would destroy the client's connection together with the engine's.
    req.pipe(upstream)
  }

  #pass(answer: http.IncomingMessage): void {
    const { res } = this.#exchange
    const isEvents = isPlainEventStream(answer)
    this.#answer = answer
    try {
      res.writeHead(answer.statusCode ?? 502, answer.statusMessage, toClient(answer.rawHeaders))
    } catch (error) {
      return this.#broke(error)
    }
    // Together with the first bytes when those are here already, else by itself: a stream starts at once.
    setImmediate(() => {
      if (this.#bytesToClient === 0 && !res.writableEnded && !res.destroyed) res.flushHeaders()
    })
    answer.on('data', (chunk: Buffer) => {
      this.#bytesToClient += chunk.length
      if (isEvents) this.#tail = (this.#tail + chunk.toString('latin1', chunk.length - 2)).slice(-2)
    })
    answer.pipe(res, { end: false })
    answer.once('end', () => this.#answerEnded(res))
    answer.on('error', (error) => this.#broke(error, isEvents))
    answer.once('close', () => {
      if (!answer.complete) this.#broke(new Error('the answer was cut off'), isEvents)
    })
  }

  #answerEnded(res: http.ServerResponse): void {
    res.once('finish', () => this.#settle({ kind: 'answered' }))
    res.end()
  }

  #broke(error: unknown, isEvents = false): void {
    const { res } = this.#exchange
    const reason = messageOf(error)
    // An engine that answers before it has read the whole body may break the upload; the answer still counts.
    if (res.headersSent && this.#answer?.complete === true) return
    if (!this.#connected) return this.#settle({ kind: 'not-sent', reason })
    this.#settle({
      kind: 'died',
      reason,
      answerStarted: res.headersSent,
      bytesToClient: this.#bytesToClient,
      betweenEvents: isEvents && this.#tail === '\n\n',
    })
  }

  readonly #onClientClose = (): void => {
    const { res } = this.#exchange
    this.#settle({ kind: res.writableFinished ? 'answered' : 'client-gone' })
  }

  #settle(outcome: ForwardOutcome): void {
    if (this.#settled) return
    this.#settled = true
    const { req, res } = this.#exchange
    res.off('close', this.#onClientClose)
    if (this.#upstream !== undefined) {
      this.#open.delete(this.#upstream)
      req.unpipe(this.#upstream)
      this.#upstream.destroy()
    }
    this.#resolve(outcome)
  }
}

function hasBody(req: http.IncomingMessage): boolean {
  const { headers } = req
  return headers['transfer-encoding'] !== undefined || headers['content-length'] !== undefined
}

/** A compressed stream or one of known length takes no further event. */
function isPlainEventStream(answer: http.IncomingMessage): boolean {
  const { headers } = answer
  return (
    /^text\/event-stream\s*(;|$)/i.test(headers['content-type'] ?? '') &&
    headers['content-encoding'] === undefined &&
    headers['content-length'] === undefined
  )
}
