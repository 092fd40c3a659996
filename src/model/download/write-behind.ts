/** Writes in large blocks, one behind: the next block fills while the last one is on its way to the disk. */

/** Small enough to keep memory flat, large enough that the disk is asked seldom. */
const BLOCK_BYTES = 2 ** 20

/**
 * Takes pieces that follow each other in the file. They are copied, so that none is held while the disk is
 * busy: memory that lives that long takes a full garbage collection to come back.
 */
export class WriteBehind {
  readonly #write: (bytes: Buffer, position: number) => Promise<void>
  #filling = Buffer.allocUnsafeSlow(BLOCK_BYTES)
  #other = Buffer.allocUnsafeSlow(BLOCK_BYTES)
  #filledBytes = 0
  #blockAt: number
  #writing: Promise<void> = Promise.resolve()

  constructor(write: (bytes: Buffer, position: number) => Promise<void>, position: number) {
    this.#write = write
    this.#blockAt = position
  }

  /** Where in the file the next piece goes. */
  get position(): number {
    return this.#blockAt + this.#filledBytes
  }

  /** Waits only while both blocks are full. Rejects when an earlier block cannot be written. */
  async add(piece: Buffer): Promise<void> {
    for (let from = 0; from < piece.length;) {
      const copied = piece.copy(this.#filling, this.#filledBytes, from)
      this.#filledBytes += copied
      from += copied
      if (this.#filledBytes === BLOCK_BYTES) await this.#turn()
    }
  }

  /** Resolves when everything is written. */
  async flush(): Promise<void> {
    await this.#turn()
    await this.#writing
  }

  async #turn(): Promise<void> {
    await this.#writing
    if (this.#filledBytes === 0) return
    const bytes = this.#filling.subarray(0, this.#filledBytes)
    this.#writing = this.#write(bytes, this.#blockAt)
    // Told to whoever comes next; until then nobody may be waiting.
    this.#writing.catch(() => undefined)
    this.#blockAt += this.#filledBytes
    this.#filledBytes = 0
    ;[this.#filling, this.#other] = [this.#other, this.#filling]
  }
}
