/** The answer that one client gets, from however many parts of however many engines it is made. */
import { messageOf } from '../errors.ts'
import type { AnswerHead } from './answer-head.ts'
import { chunkOf } from './chunk.ts'
import type { Exchange } from './exchange.ts'
import { toClient, valuesOf } from './headers.ts'
import { readableBy } from './own-answer.ts'
import { breakOff } from './send.ts'

export interface ClientAnswerEvents {
  /** The first byte of the answer goes to the client. */
  readonly onFirstByte: () => void
  /** What we add to the head of the engine's answer. */
  readonly ownHeaders: () => Readonly<Record<string, string>>
  /** The client takes more. */
  readonly onDrain: () => void
}

const NO_BYTES = Buffer.alloc(0)

export class ClientAnswer {
  readonly #exchange: Exchange
  readonly #events: ClientAnswerEvents
  /** Read, and not yet given to the client: it goes out together with the first bytes where it can. */
  #head: AnswerHead | undefined
  #waitsForDrain = false
  /** Its body goes out in chunks, which are framed here. */
  #isChunked = false
  /** The bytes written last, at least four of them where there were so many. */
  #tail: Buffer = Buffer.alloc(0)

  constructor(exchange: Exchange, events: ClientAnswerEvents) {
    this.#exchange = exchange
    this.#events = events
  }

  /** The head has gone: nobody can give another answer. */
  get started(): boolean {
    return this.#exchange.res.headersSent
  }

  /** It is an event stream that stands between two events: one more can follow. */
  get betweenEvents(): boolean {
    const end = this.#tail.toString('latin1', Math.max(this.#tail.length - 4, 0))
    return /(?:^|\n\n|\r\n\r\n)$/.test(end)
  }

  /** Takes the head of the answer. It waits for the first bytes or for `flush`; until then another may take its place. */
  begin(head: AnswerHead): void {
    this.#head = head
  }

  /** The answer that had begun will not come: another may, or an error of ours. */
  withdraw(): void {
    this.#head = undefined
  }

  /** Sends the head by itself, if nothing has taken it along yet. Throws when it cannot be written as HTTP. */
  flush(): void {
    const { res } = this.#exchange
    if (this.#head === undefined || res.destroyed) return
    this.#writeHead()
    res.flushHeaders()
  }

  /** False: the client takes no more until `onDrain`. `isLast` ends the answer with these bytes. */
  write(bytes: Buffer, isLast: boolean): boolean {
    const { res } = this.#exchange
    this.#writeHead()
    this.#tail = bytes.length < 4 ? Buffer.concat([this.#tail.subarray(-4), bytes]) : bytes
    // The last bytes go with the end: one write to the client's socket instead of two.
    if (isLast) {
      this.#endWith(bytes)
      return true
    }
    if (res.write(this.#isChunked ? chunkOf(bytes, false) : bytes)) return true
    if (!this.#waitsForDrain) {
      this.#waitsForDrain = true
      res.once('drain', () => {
        this.#waitsForDrain = false
        this.#events.onDrain()
      })
    }
    return false
  }

  /** Ends the answer; false when the client left before its last byte. */
  async end(): Promise<boolean> {
    const { res } = this.#exchange
    this.#writeHead()
    if (!res.writableEnded) this.#endWith(NO_BYTES)
    if (!res.writableFinished && !res.destroyed) {
      await new Promise<void>((resolve) => {
        res.once('close', resolve)
        res.once('finish', resolve)
      })
    }
    return res.writableFinished
  }

  /** Never a clean end: a last event where one can follow, else the connection breaks. */
  break(lastEvent: Buffer | null): void {
    const { res } = this.#exchange
    if (lastEvent !== null && this.betweenEvents && !res.destroyed) this.#endWith(lastEvent)
    else breakOff(this.#exchange)
  }

  #endWith(bytes: Buffer): void {
    this.#exchange.res.end(this.#isChunked ? chunkOf(bytes, true) : bytes)
  }

  #writeHead(): void {
    const head = this.#head
    if (head === undefined) return
    this.#head = undefined
    const { req, res } = this.#exchange
    this.#events.onFirstByte()
    try {
      const [origin] = valuesOf(req.rawHeaders, 'origin')
      const headers = toClient(head.rawHeaders)
      for (const added of [readableBy(origin), this.#events.ownHeaders()]) {
        for (const [name, value] of Object.entries(added)) headers.push(name, value)
      }
      res.writeHead(head.status, head.statusMessage, headers)
      this.#isChunked = res.chunkedEncoding && req.method !== 'HEAD'
      // Node has said so in the head, and leaves the rest to us.
      if (this.#isChunked) res.chunkedEncoding = false
    } catch (error) {
      // What the reader let pass, Node may still not write.
      req.destroy(new Error(`the answer cannot be written: ${messageOf(error)}`))
    }
  }
}

/** A compressed stream or one of known length takes no further event. */
export function isPlainEventStream({ framing, rawHeaders }: AnswerHead): boolean {
  return (
    framing.kind !== 'length' &&
    /^text\/event-stream\s*(;|$)/i.test(valuesOf(rawHeaders, 'content-type')[0] ?? '') &&
    valuesOf(rawHeaders, 'content-encoding').length === 0
  )
}
