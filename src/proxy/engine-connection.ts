/** One connection to the engine's socket, which carries one request after another. */
import net from 'node:net'
import { type AnswerPart, type AnswerReader, createAnswerReader } from './answer-reader.ts'

export interface EngineListener {
  /** From here on the engine may be written to; before it nothing has left us. */
  onConnect(): void
  /** Everything one read brought, so that what came together can go on together. */
  onParts(parts: readonly AnswerPart[]): void
  onError(error: Error): void
}

/**
 * All connections read into it, one at a time, and what came is copied out: that is much cheaper than the
 * 64 KiB that Node would allocate for each token of a stream.
 */
const READ_BUFFER = Buffer.allocUnsafe(64 * 1024)

export class EngineConnection {
  readonly socketPath: string
  readonly socket: net.Socket
  #listener: EngineListener | null = null
  #reader: AnswerReader | null = null

  constructor(socketPath: string) {
    this.socketPath = socketPath
    const onRead = (count: number): boolean => this.#onRead(count)
    this.socket = net.connect({
      path: socketPath,
      onread: { buffer: READ_BUFFER, callback: onRead },
    })
    this.socket.on('connect', () => this.#listener?.onConnect())
    this.socket.on('end', () => this.#onEnd())
    this.socket.on('error', (error) => this.#listener?.onError(error))
  }

  /** Tells `listener` of the answer to one request with `method`, until `forget`. */
  listen(method: string, listener: EngineListener): void {
    this.#reader = createAnswerReader(method)
    this.#listener = listener
  }

  /** Nothing more is expected on it: whatever comes all the same ends it. */
  forget(): void {
    this.#reader = null
    this.#listener = null
  }

  #onRead(count: number): boolean {
    const bytes = Buffer.from(READ_BUFFER.subarray(0, count))
    if (this.#reader === null) this.socket.destroy()
    else this.#listener?.onParts(this.#reader.read(bytes))
    return true
  }

  #onEnd(): void {
    if (this.#reader === null) this.socket.destroy()
    else this.#listener?.onParts(this.#reader.readEnd())
  }
}
