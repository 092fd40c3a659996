/** Reads the body of a client's request so that it can be sent to the engine once or several times. */
import type { IncomingMessage } from 'node:http'
import type { Clock } from '../clock.ts'
import { formatBytes } from '../units.ts'
import { type BodyFailure, refusedSize, tooSlow } from './admission/body-failure.ts'
import { BodyPieces } from './admission/body-pieces.ts'
import type { ByteBudget } from './admission/byte-budget.ts'
import { type BodySink, type Passing, passLargeBody } from './admission/large-body.ts'
import { QuietWatch } from './admission/quiet-watch.ts'
import { hasBody } from './has-body.ts'

export interface KeepOptions {
  /** A larger body is passed on without being kept. */
  readonly limitBytes: number
  /** A larger body is refused. */
  readonly maxBytes: number
  /** What all requests together may keep; its bound must be at least `limitBytes`. */
  readonly budget: ByteBudget
  /** The longest time between two pieces of a body. */
  readonly uploadTimeoutMs: number
  readonly clock: Pick<Clock, 'monotonicMs' | 'sleep'>
}

export type BodyOutcome =
  | WholeBody
  | LargeBody
  /** For a 503: all requests together keep too much. Nothing of it is kept. */
  | { readonly kind: 'over-budget'; readonly message: string; readonly hint: string }
  | BodyFailure

/** All of it is here; it can be sent as often as needed until it is released. */
export interface WholeBody {
  readonly kind: 'whole'
  readonly pieces: readonly Buffer[]
  readonly lengthBytes: number
}

/** Over the limit: it can be passed on once, and the client waits with the rest until then. */
export interface LargeBody {
  readonly kind: 'too-large'
  /** `null` when it comes in chunks. */
  readonly lengthBytes: number | null
  /** From its first byte on. To be called once. */
  pass(sink: BodySink): Passing
}

export interface KeptBody {
  readonly outcome: Promise<BodyOutcome>
  /** It is refused by its length alone: a client that waits for `100 Continue` gets the answer instead. */
  readonly isRefused: boolean
  /** To be called when the request is over, however it ended: the bytes are kept no longer. Only the first call counts. */
  release(): void
}

/** A client that waits for `100 Continue` is to get it, unless it is refused. From now on nobody else may read `req`. */
export function keepBody(req: IncomingMessage, options: KeepOptions): KeptBody {
  const keeping = new Keeping(req, options)
  keeping.start()
  return keeping
}

class Keeping implements KeptBody {
  readonly outcome: Promise<BodyOutcome>
  isRefused = false
  readonly #req: IncomingMessage
  readonly #options: KeepOptions
  readonly #pieces = new BodyPieces()
  #settle: ((outcome: BodyOutcome) => void) | undefined
  #startWatch: NodeJS.Immediate | undefined
  #watch: QuietWatch | undefined
  #takenBytes = 0

  constructor(req: IncomingMessage, options: KeepOptions) {
    this.#req = req
    this.#options = options
    this.outcome = new Promise((resolve) => {
      this.#settle = resolve
    })
  }

  start(): void {
    const req = this.#req
    if (!hasBody(req)) return this.#end({ kind: 'whole', pieces: [], lengthBytes: 0 })
    const early = this.#judgeLength()
    if (early !== null) {
      this.isRefused = early.kind !== 'too-large'
      return this.#end(early)
    }
    if (req.destroyed) return this.#end({ kind: 'aborted' })
    req.on('data', this.#onData)
    req.once('end', this.#onEnd)
    req.once('close', this.#onClose)
    // A small body is here before this turn is over, and needs no timer.
    this.#startWatch = setImmediate(this.#watchUpload)
  }

  release(): void {
    if (this.#settle !== undefined) this.#end({ kind: 'aborted' })
    else this.#giveBack()
  }

  /** What its declared length tells before a byte is read. */
  #judgeLength(): BodyOutcome | null {
    const { limitBytes, maxBytes, budget } = this.#options
    const lengthBytes = declaredBytes(this.#req)
    if (lengthBytes === null) return null
    if (lengthBytes > maxBytes) return refusedSize(maxBytes, lengthBytes)
    if (lengthBytes > limitBytes) return this.#large()
    return budget.hasRoomFor(lengthBytes) ? null : overBudget(budget)
  }

  readonly #onData = (bytes: Buffer): void => {
    const { limitBytes, maxBytes, budget } = this.#options
    const lengthBytes = this.#pieces.lengthBytes + bytes.length
    if (lengthBytes > maxBytes) return this.#end(refusedSize(maxBytes, null))
    if (!budget.take(bytes.length)) return this.#end(overBudget(budget))
    this.#takenBytes += bytes.length
    this.#pieces.add(bytes)
    this.#watch?.came(bytes.length)
    if (lengthBytes > limitBytes) this.#end(this.#large())
  }

  readonly #onEnd = (): void => {
    const { lengthBytes } = this.#pieces
    this.#end({ kind: 'whole', pieces: this.#pieces.take(), lengthBytes })
  }

  readonly #onClose = (): void => this.#end({ kind: 'aborted' })

  readonly #watchUpload = (): void => {
    const { clock, uploadTimeoutMs } = this.#options
    this.#watch = new QuietWatch(clock, uploadTimeoutMs, (cameBytes) =>
      this.#end(tooSlow(uploadTimeoutMs, cameBytes, this.#pieces.lengthBytes)),
    )
  }

  #large(): LargeBody {
    const { maxBytes, clock, uploadTimeoutMs: quietMs } = this.#options
    const req = this.#req
    const pieces = this.#pieces.take()
    const onPiecesGone = (): void => this.#giveBack()
    return {
      kind: 'too-large',
      lengthBytes: declaredBytes(req),
      pass: (sink) => passLargeBody({ req, pieces, maxBytes, quietMs, clock, onPiecesGone }, sink),
    }
  }

  #end(outcome: BodyOutcome): void {
    const req = this.#req
    req.off('data', this.#onData)
    req.off('end', this.#onEnd)
    req.off('close', this.#onClose)
    clearImmediate(this.#startWatch)
    this.#watch?.stop()
    // Whoever takes the rest goes on with it: nothing may run into the void before.
    if (outcome.kind !== 'whole') req.pause()
    if (outcome.kind !== 'whole' && outcome.kind !== 'too-large') {
      this.#pieces.drop()
      this.#giveBack()
    }
    this.#settle?.(outcome)
    this.#settle = undefined
  }

  #giveBack(): void {
    this.#options.budget.giveBack(this.#takenBytes)
    this.#takenBytes = 0
  }
}

function declaredBytes({ headers }: IncomingMessage): number | null {
  const length = headers['transfer-encoding'] === undefined ? headers['content-length'] : undefined
  return length === undefined ? null : Number(length)
}

function overBudget({ keptBytes, maxBytes }: ByteBudget): BodyOutcome {
  return {
    kind: 'over-budget',
    message: `Cannot keep the request: bodies of other requests take ${formatBytes(keptBytes)} of memory already, all together may take ${formatBytes(maxBytes)}`,
    hint: 'try again in a moment; oss20bd status shows who waits',
  }
}
