/** Reads a file forward in small pieces and never past its end, whatever its lengths claim. */
import type { FileHandle } from 'node:fs/promises'

const WINDOW_BYTES = 2 ** 20
/** The real gpt-oss-20b header has 13 MB; a header far beyond that is not one. */
const MAX_HEADER_BYTES = 64 * 2 ** 20

/** The file ends before what its header announces. */
export class CutShortError extends Error {
  /** The least that the whole file must have; null when the header is cut, which would tell. */
  readonly neededBytes: number | null

  constructor(message: string, neededBytes: number | null = null) {
    super(message)
    this.neededBytes = neededBytes
  }
}
/** The bytes cannot be a header. */
export class BadHeaderError extends Error {}

/** Little endian throughout. Every method throws `CutShortError` at the end of the file. */
export class HeaderReader {
  readonly #file: Pick<FileHandle, 'read'>
  readonly #sizeBytes: number
  #window = Buffer.alloc(0)
  #windowStart = 0
  #position = 0

  constructor(file: Pick<FileHandle, 'read'>, sizeBytes: number) {
    this.#file = file
    this.#sizeBytes = sizeBytes
  }

  get position(): number {
    return this.#position
  }

  async u32(): Promise<number> {
    return (await this.#take(4)).readUInt32LE()
  }

  /** A number above 2^53 loses its last digits, which no file is large enough to notice. */
  async u64(): Promise<number> {
    return Number((await this.#take(8)).readBigUInt64LE())
  }

  /** Stays the same only until the next read. */
  bytes(length: number): Promise<Buffer> {
    return this.#take(length)
  }

  /** Text of at most `maxBytes`; longer text is passed over and gives `null`. */
  async text(maxBytes: number): Promise<string | null> {
    const length = await this.u64()
    if (length <= maxBytes) return (await this.#take(length)).toString('utf8')
    this.skip(length)
    return null
  }

  /** Passes over `count` strings; there are 600,000 of them. */
  async skipTexts(count: number): Promise<void> {
    let left = count
    while (left > 0) {
      if (!this.#holds(8)) await this.#fill(8)
      left = this.#skipHeldTexts(left)
    }
  }

  /** Passes over `length` bytes without reading them. */
  skip(length: number): void {
    this.#require(length)
    this.#position += length
  }

  /** Those whose length is in the window; tells how many are left. */
  #skipHeldTexts(count: number): number {
    const { buffer, byteOffset, length } = this.#window
    const view = new DataView(buffer, byteOffset, length)
    const last = length - 8
    let at = this.#position - this.#windowStart
    let left = count
    while (left > 0 && at <= last) {
      at += 8 + view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32
      left -= 1
    }
    this.skip(this.#windowStart + at - this.#position)
    return left
  }

  async #take(length: number): Promise<Buffer> {
    if (!this.#holds(length)) await this.#fill(length)
    const at = this.#position - this.#windowStart
    this.#position += length
    return this.#window.subarray(at, at + length)
  }

  #holds(length: number): boolean {
    const end = this.#windowStart + this.#window.length
    return this.#position >= this.#windowStart && this.#position + length <= end
  }

  async #fill(length: number): Promise<void> {
    this.#require(length)
    const window = Buffer.alloc(Math.max(length, WINDOW_BYTES))
    let filled = 0
    while (filled < length) {
      const at = this.#position + filled
      const { bytesRead } = await this.#file.read(window, filled, window.length - filled, at)
      if (bytesRead === 0) throw new CutShortError('the file became shorter')
      filled += bytesRead
    }
    this.#window = window.subarray(0, filled)
    this.#windowStart = this.#position
  }

  #require(length: number): void {
    if (this.#position + length > this.#sizeBytes)
      throw new CutShortError('the file ends too early')
    if (this.#position + length > MAX_HEADER_BYTES)
      throw new BadHeaderError('its header has no end')
  }
}
