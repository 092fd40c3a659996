/** Collects the pieces of a body as they come, so that kept memory stays near to the bytes kept. */

/** Copying less than this costs less than the object it came in: a body of one-byte chunks would keep 100 times its size. */
const SMALL_BYTES = 4096
const BLOCK_BYTES = 16 * 1024

export class BodyPieces {
  #pieces: Buffer[] = []
  #block: Buffer | undefined
  /** What of the block is in use, and what of that is in no piece yet. */
  #usedTo = 0
  #openFrom = 0
  #lengthBytes = 0

  get lengthBytes(): number {
    return this.#lengthBytes
  }

  add(bytes: Buffer): void {
    // Most bodies are one piece: it is kept as it came.
    if (bytes.length >= SMALL_BYTES || this.#lengthBytes === 0) {
      this.#closeOpen()
      if (bytes.length > 0) this.#pieces.push(bytes)
    } else {
      this.#copy(bytes)
    }
    this.#lengthBytes += bytes.length
  }

  /** All of them in order. Nothing may be added afterwards. */
  take(): Buffer[] {
    this.#closeOpen()
    return this.#pieces
  }

  /** Lets go of all of them; a list taken before stays as it is. */
  drop(): void {
    this.#pieces = []
    this.#block = undefined
  }

  #copy(bytes: Buffer): void {
    if (this.#block === undefined || this.#usedTo + bytes.length > BLOCK_BYTES) {
      this.#closeOpen()
      this.#block = Buffer.allocUnsafeSlow(BLOCK_BYTES)
      this.#usedTo = 0
      this.#openFrom = 0
    }
    this.#usedTo += bytes.copy(this.#block, this.#usedTo)
  }

  #closeOpen(): void {
    if (this.#block === undefined || this.#openFrom === this.#usedTo) return
    this.#pieces.push(this.#block.subarray(this.#openFrom, this.#usedTo))
    this.#openFrom = this.#usedTo
  }
}
