/** Bounds the bytes of request bodies that are kept in memory, over all requests together. */

export class ByteBudget {
  readonly maxBytes: number
  #keptBytes = 0

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
  }

  get keptBytes(): number {
    return this.#keptBytes
  }

  hasRoomFor(bytes: number): boolean {
    return this.#keptBytes + bytes <= this.maxBytes
  }

  /** False when there is no room: then nothing was taken. */
  take(bytes: number): boolean {
    if (!this.hasRoomFor(bytes)) return false
    this.#keptBytes += bytes
    return true
  }

  giveBack(bytes: number): void {
    this.#keptBytes -= bytes
  }
}
