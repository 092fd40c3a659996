/** One request to the engine and its answer, over one connection. It knows no client: who takes the answer decides. */
import type { BodyFailure } from './admission/body-failure.ts'
import type { Passing } from './admission/large-body.ts'
import type { AnswerHead } from './answer-head.ts'
import type { AnswerPart } from './answer-reader.ts'
import type { EngineConnection, EngineListener } from './engine-connection.ts'
import type { EngineConnections } from './engine-connections.ts'
import { type RawHeaders, requestHead } from './headers.ts'
import type { LargeBody, WholeBody } from './kept-body.ts'
import { fitsOnePiece, passOn, type SentBody, sendWhole } from './send-body.ts'

/** What goes to the engine. It can be sent again unless its body is too large to be kept. */
export interface EngineRequest {
  readonly method: string
  /** With its query. */
  readonly path: string
  /** For the engine, without any that frame a body. */
  readonly headers: RawHeaders
  /** null: it has none. */
  readonly body: WholeBody | LargeBody | null
}

/** Takes an answer as it comes. */
export interface AnswerTaker {
  head(head: AnswerHead): void
  /** False: nothing more until `resume` of the call. `isLast`: the end follows at once. */
  body(bytes: Buffer, isLast: boolean): boolean
}

export type CallOutcome =
  /** The answer, whatever its status, was whole. */
  | { readonly kind: 'complete' }
  /** No byte went to the engine: it can be sent again, whatever it is. */
  | { readonly kind: 'not-sent'; readonly reason: string }
  /** The request itself cannot be written as HTTP. */
  | { readonly kind: 'not-sendable'; readonly reason: string }
  | { readonly kind: 'died'; readonly reason: string }
  /** The client's upload broke off, or was too slow or too large. */
  | { readonly kind: 'upload-failed'; readonly failure: BodyFailure }
  /** `stop` was called. */
  | { readonly kind: 'stopped' }

export interface EngineCall {
  readonly outcome: Promise<CallOutcome>
  /** The taker can take more. */
  resume(): void
  /** The answer is not wanted any more. */
  stop(): void
}

export function callEngine(
  request: EngineRequest,
  socketPath: string,
  connections: EngineConnections,
  taker: AnswerTaker,
): EngineCall {
  const call = new Call(request, socketPath, connections, taker)
  call.start()
  return call
}

class Call implements EngineCall, EngineListener {
  readonly outcome: Promise<CallOutcome>
  readonly #request: EngineRequest
  readonly #socketPath: string
  readonly #connections: EngineConnections
  readonly #taker: AnswerTaker
  #resolve: (outcome: CallOutcome) => void = () => undefined
  #engine: EngineConnection | undefined
  #upload: Passing | null = null
  #head = ''
  #keepAliveMs = 0
  #connected = false
  #settled = false

  constructor(
    request: EngineRequest,
    socketPath: string,
    connections: EngineConnections,
    taker: AnswerTaker,
  ) {
    this.#request = request
    this.#socketPath = socketPath
    this.#connections = connections
    this.#taker = taker
    this.outcome = new Promise((resolve) => {
      this.#resolve = resolve
    })
  }

  start(): void {
    const { method, path, headers, body } = this.#request
    const head = requestHead(method, path, [...headers, ...framingOf(method, body)])
    if (head.kind === 'refused') return this.#settle({ ...head, kind: 'not-sendable' })
    this.#head = head.text
    const kept = fitsOnePiece(body) ? this.#connections.takeKept(this.#socketPath) : null
    if (kept !== null) {
      this.#listenTo(kept)
      this.#connected = true
      sendWhole(kept.socket, this.#head, sentOf(body))
      // Set in write() itself, when the kernel has refused all of it because the engine has closed its side.
      if (kept.socket.errored === null) return
      this.#connected = false
      this.#leave(0)
    }
    this.#listenTo(this.#connections.connect(this.#socketPath))
  }

  resume(): void {
    this.#engine?.socket.resume()
  }

  stop(): void {
    this.#settle({ kind: 'stopped' })
  }

  onConnect(): void {
    const engine = this.#engine?.socket
    if (this.#settled || engine === undefined) return
    this.#connected = true
    const { body } = this.#request
    if (body?.kind !== 'too-large') return sendWhole(engine, this.#head, sentOf(body))
    this.#upload = passOn(body, engine, this.#head, (failure) =>
      this.#settle({ kind: 'upload-failed', failure }),
    )
  }

  onParts(parts: readonly AnswerPart[]): void {
    for (const [index, part] of parts.entries()) {
      if (this.#settled) return
      switch (part.kind) {
        case 'head':
          // After an answer in chunks the engine often closes, whatever it has promised.
          this.#keepAliveMs = part.head.framing.kind === 'length' ? part.head.keepAliveMs : 0
          this.#taker.head(part.head)
          break
        case 'body':
          if (!this.#taker.body(part.bytes, parts[index + 1]?.kind === 'end'))
            this.#engine?.socket.pause()
          break
        case 'end':
          this.#leave(part.isExact && this.#upload === null ? this.#keepAliveMs : 0)
          return this.#settle({ kind: 'complete' })
        case 'broken':
          return this.#broke(part.reason)
      }
    }
  }

  onError(error: Error): void {
    this.#broke(error.message)
  }

  #listenTo(engine: EngineConnection): void {
    this.#engine = engine
    engine.listen(this.#request.method, this)
  }

  #broke(reason: string): void {
    this.#settle({ kind: this.#connected ? 'died' : 'not-sent', reason })
  }

  #leave(keepAliveMs: number): void {
    const engine = this.#engine
    if (engine === undefined) return
    this.#engine = undefined
    this.#upload?.stop()
    engine.forget()
    const { socket } = engine
    if (keepAliveMs > 0 && socket.writableLength === 0 && !socket.isPaused()) {
      this.#connections.keep(engine, keepAliveMs)
    } else {
      this.#connections.end(engine)
    }
  }

  #settle(outcome: CallOutcome): void {
    if (this.#settled) return
    this.#settled = true
    this.#leave(0)
    this.#resolve(outcome)
  }
}

const nothing: SentBody = { pieces: [], lengthBytes: 0 }

function sentOf(body: EngineRequest['body']): SentBody {
  return body === null || body.kind === 'too-large' ? nothing : body
}

/** A body without any framing would read as the next request. */
function framingOf(method: string, body: EngineRequest['body']): string[] {
  if (body === null) return method === 'GET' || method === 'HEAD' ? [] : ['Content-Length', '0']
  if (body.lengthBytes === null) return ['Transfer-Encoding', 'chunked']
  return ['Content-Length', String(body.lengthBytes)]
}
