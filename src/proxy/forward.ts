/** Streams one request to the engine's socket and its answer back; leaving on either side reaches the other. */
import type http from 'node:http'
import type { Socket } from 'node:net'
import { messageOf } from '../errors.ts'
import type { AnswerHead } from './answer-head.ts'
import type { AnswerPart } from './answer-reader.ts'
import { type EngineConnections, type EngineListener, listenTo } from './engine-connections.ts'
import { requestHead, toClient, toEngine, valuesOf } from './headers.ts'
import { hasBody, sendAtOnce, startUpload, type Upload } from './upload.ts'

/** One request of a client, and where its answer goes. */
export interface Exchange {
  readonly req: http.IncomingMessage
  readonly res: http.ServerResponse
  /** The client waits for `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean
}

export type ForwardOutcome =
  /** The engine's answer, whatever its status, reached the client whole. */
  | {
      readonly kind: 'answered'
      readonly status: number
      /** Of an event stream the end, of an error the beginning, of everything else nothing. */
      readonly sample: string
    }
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

/** `connections` holds the one to the engine; ending it there ends the request as `died`. */
export function forward(
  exchange: Exchange,
  socketPath: string,
  connections: EngineConnections,
): Promise<ForwardOutcome> {
  return new Promise((resolve) => {
    new Transfer(exchange, connections, resolve).start(socketPath)
  })
}

class Transfer implements EngineListener {
  readonly #exchange: Exchange
  readonly #connections: EngineConnections
  readonly #resolve: (outcome: ForwardOutcome) => void
  #engine: Socket | undefined
  #upload: Upload | null = null
  /** Read, and not yet given to the client. */
  #head: AnswerHead | undefined
  #stopListening: (() => void) | undefined
  #socketPath = ''
  #requestHead = ''
  #keepAliveMs = 0
  #connected = false
  #waitsForClient = false
  #settled = false
  #bytesToClient = 0
  #isEvents = false
  #status = 0
  #sample = ''

  constructor(
    exchange: Exchange,
    connections: EngineConnections,
    resolve: (outcome: ForwardOutcome) => void,
  ) {
    this.#exchange = exchange
    this.#connections = connections
    this.#resolve = resolve
  }

  start(socketPath: string): void {
    const { req, res } = this.#exchange
    if (res.destroyed) return this.#settle({ kind: 'client-gone' })
    const method = req.method ?? 'GET'
    const head = requestHead(method, req.url ?? '/', toEngine(method, req.rawHeaders))
    if (head.kind === 'refused') return this.#settle({ ...head, kind: 'not-sendable' })
    this.#requestHead = head.text
    this.#socketPath = socketPath
    res.once('close', this.#onClientClose)
    // A small body mostly comes with its head, and lies ready once the event that brought the head is over.
    if (hasBody(req) && !req.complete) setImmediate(() => this.#send(method))
    else this.#send(method)
  }

  #send(method: string): void {
    if (this.#settled) return
    const { req } = this.#exchange
    const kept = this.#connections.takeKept(this.#socketPath)
    if (kept !== null) {
      this.#listenTo(kept, method)
      this.#connected = true
      if (sendAtOnce(req, kept, this.#requestHead)) return
      this.#connected = false
      this.#leaveEngine(0)
    }
    this.#listenTo(this.#connections.connect(this.#socketPath), method)
  }

  #listenTo(engine: Socket, method: string): void {
    this.#engine = engine
    this.#stopListening = listenTo(engine, method, this)
  }

  /** The body is taken from the client only now, so that a request that meets no engine is still whole. */
  onConnect(): void {
    const { req, res, expectsContinue } = this.#exchange
    if (this.#settled || this.#engine === undefined) return
    this.#connected = true
    if (expectsContinue && hasBody(req)) res.writeContinue()
    this.#upload = startUpload(req, this.#engine, this.#requestHead)
  }

  onParts(parts: readonly AnswerPart[]): void {
    for (const [index, part] of parts.entries()) {
      if (this.#settled) return
      switch (part.kind) {
        case 'head':
          this.#takeHead(part.head)
          break
        case 'body':
          this.#pass(part.bytes, parts[index + 1]?.kind === 'end')
          break
        case 'end':
          this.#answerEnded(part.isExact)
          break
        case 'broken':
          return this.#broke(part.reason)
      }
    }
  }

  onError(error: Error): void {
    this.#broke(error.message)
  }

  #takeHead(head: AnswerHead): void {
    this.#head = head
    this.#keepAliveMs = head.keepAliveMs
    this.#status = head.status
    this.#isEvents = isPlainEventStream(head)
    if (head.framing.kind === 'length') return
    // Together with the first bytes when those are here already, else by itself: a stream starts at once.
    setImmediate(() => {
      if (this.#head === undefined || this.#settled) return
      if (this.#startAnswer()) this.#exchange.res.flushHeaders()
    })
  }

  /** False when it cannot be written as HTTP. */
  #startAnswer(): boolean {
    const head = this.#head
    if (head === undefined) return true
    this.#head = undefined
    try {
      this.#exchange.res.writeHead(head.status, head.statusMessage, toClient(head.rawHeaders))
      return true
    } catch (error) {
      this.#broke(messageOf(error))
      return false
    }
  }

  #pass(bytes: Buffer, isLast: boolean): void {
    const { res } = this.#exchange
    if (!this.#startAnswer()) return
    this.#bytesToClient += bytes.length
    if (this.#isEvents) this.#sample = endOf(this.#sample, bytes)
    else if (this.#status >= 400) this.#sample = beginningOf(this.#sample, bytes)
    // The last bytes go with the end: one write to the client's socket instead of two.
    if (isLast) return void res.end(bytes)
    if (!res.write(bytes)) this.#waitForClient()
  }

  #waitForClient(): void {
    if (this.#waitsForClient) return
    this.#waitsForClient = true
    this.#engine?.pause()
    this.#exchange.res.once('drain', () => {
      this.#waitsForClient = false
      this.#engine?.resume()
    })
  }

  #answerEnded(isExact: boolean): void {
    const { res } = this.#exchange
    if (!this.#startAnswer()) return
    if (!res.writableEnded) res.end()
    this.#leaveEngine(isExact && this.#upload === null ? this.#keepAliveMs : 0)
    if (res.writableFinished) this.#settle(this.#answered())
    else res.once('finish', () => this.#settle(this.#answered()))
  }

  #answered(): ForwardOutcome {
    return { kind: 'answered', status: this.#status, sample: this.#sample }
  }

  #broke(reason: string): void {
    const { res } = this.#exchange
    if (!this.#connected) return this.#settle({ kind: 'not-sent', reason })
    this.#settle({
      kind: 'died',
      reason,
      answerStarted: res.headersSent,
      bytesToClient: this.#bytesToClient,
      betweenEvents: this.#isEvents && res.headersSent && /(?:^|\n\n)$/.test(this.#sample),
    })
  }

  readonly #onClientClose = (): void => {
    const { res } = this.#exchange
    this.#settle(res.writableFinished ? this.#answered() : { kind: 'client-gone' })
  }

  #leaveEngine(keepAliveMs: number): void {
    const engine = this.#engine
    if (engine === undefined) return
    this.#engine = undefined
    this.#upload?.stop()
    this.#stopListening?.()
    if (keepAliveMs > 0 && engine.writableLength === 0 && !engine.isPaused()) {
      this.#connections.keep(this.#socketPath, engine, keepAliveMs)
    } else {
      this.#connections.end(engine)
    }
  }

  #settle(outcome: ForwardOutcome): void {
    if (this.#settled) return
    this.#settled = true
    this.#exchange.res.off('close', this.#onClientClose)
    this.#leaveEngine(0)
    this.#resolve(outcome)
  }
}

/** A compressed stream or one of known length takes no further event. */
function isPlainEventStream({ framing, rawHeaders }: AnswerHead): boolean {
  return (
    framing.kind !== 'length' &&
    /^text\/event-stream\s*(;|$)/i.test(valuesOf(rawHeaders, 'content-type')[0] ?? '') &&
    valuesOf(rawHeaders, 'content-encoding').length === 0
  )
}

/** Enough for an error in its JSON; a stream of tokens stays cheap. */
const SAMPLE_BYTES = 1024

function endOf(before: string, bytes: Buffer): string {
  const from = Math.max(bytes.length - SAMPLE_BYTES, 0)
  return (before + bytes.toString('latin1', from)).slice(-SAMPLE_BYTES)
}

function beginningOf(before: string, bytes: Buffer): string {
  const missing = SAMPLE_BYTES - before.length
  return missing <= 0 ? before : before + bytes.toString('latin1', 0, missing)
}
