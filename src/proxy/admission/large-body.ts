/** Passes on, once, a body that is too large to be kept: what was read of it, then the rest as it comes. */
import type { IncomingMessage } from 'node:http'
import type { Clock } from '../../clock.ts'
import { drain } from '../drain.ts'
import { type BodyFailure, refusedSize, tooSlow } from './body-failure.ts'
import { QuietWatch } from './quiet-watch.ts'

export interface BodySink {
  /** False: it takes no more until `resume()`. */
  write(bytes: Buffer): boolean
  /** All of the body has been written. */
  end(): void
  /** The rest of the body will not come. */
  failed(failure: BodyFailure): void
}

export interface Passing {
  /** The sink takes bytes again. */
  resume(): void
  /** The sink wants no more; what still comes of the body runs into the void. */
  stop(): void
}

export interface LargeBodyOptions {
  readonly req: IncomingMessage
  /** What was read of it already. */
  readonly pieces: Buffer[]
  readonly maxBytes: number
  readonly quietMs: number
  readonly clock: Pick<Clock, 'monotonicMs' | 'sleep'>
  /** The pieces are kept no longer. */
  readonly onPiecesGone: () => void
}

export function passLargeBody(options: LargeBodyOptions, sink: BodySink): Passing {
  const passing = new LargeBodyPassing(options, sink)
  passing.resume()
  return passing
}

class LargeBodyPassing implements Passing {
  readonly #options: LargeBodyOptions
  readonly #sink: BodySink
  #phase: 'pieces' | 'rest' | 'over' = 'pieces'
  #passedBytes = 0
  #watch: QuietWatch | undefined

  constructor(options: LargeBodyOptions, sink: BodySink) {
    this.#options = options
    this.#sink = sink
  }

  resume(): void {
    if (this.#phase === 'pieces') this.#passPieces()
    else if (this.#phase === 'rest') {
      this.#watch?.touch()
      this.#options.req.resume()
    }
  }

  stop(): void {
    if (this.#phase === 'over') return
    this.#leave()
    drain(this.#options.req)
  }

  #passPieces(): void {
    const { pieces, onPiecesGone } = this.#options
    for (let piece = pieces.shift(); piece !== undefined; piece = pieces.shift()) {
      this.#passedBytes += piece.length
      const isTaken = this.#sink.write(piece)
      if (!isTaken || this.#phase !== 'pieces') return
    }
    onPiecesGone()
    this.#startRest()
  }

  #startRest(): void {
    const { req, clock, quietMs } = this.#options
    this.#phase = 'rest'
    // It had all come already when it proved too large.
    if (req.readableEnded) return this.#onEnd()
    if (req.destroyed) return this.#fail({ kind: 'aborted' })
    this.#watch = new QuietWatch(clock, quietMs, (cameBytes) =>
      this.#fail(tooSlow(quietMs, cameBytes, this.#passedBytes)),
    )
    req.on('data', this.#onData)
    req.once('end', this.#onEnd)
    req.once('close', this.#onClose)
    req.resume()
  }

  readonly #onData = (bytes: Buffer): void => {
    const { req, maxBytes } = this.#options
    this.#passedBytes += bytes.length
    if (this.#passedBytes > maxBytes) return this.#fail(refusedSize(maxBytes, null))
    this.#watch?.came(bytes.length)
    if (this.#sink.write(bytes) || this.#phase === 'over') return
    this.#watch?.pause()
    req.pause()
  }

  readonly #onEnd = (): void => {
    this.#leave()
    this.#sink.end()
  }

  readonly #onClose = (): void => this.#fail({ kind: 'aborted' })

  #fail(failure: BodyFailure): void {
    this.#leave()
    this.#options.req.pause()
    this.#sink.failed(failure)
  }

  #leave(): void {
    const { req, pieces, onPiecesGone } = this.#options
    this.#phase = 'over'
    this.#watch?.stop()
    pieces.length = 0
    onPiecesGone()
    req.off('data', this.#onData)
    req.off('end', this.#onEnd)
    req.off('close', this.#onClose)
  }
}
