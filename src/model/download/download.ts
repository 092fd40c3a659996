/** Downloads one file with several requests at once, hashing behind them, until all of it is on disk. */
import type { Logger } from '../../log.ts'
import { FileHash } from '../file-hash.ts'
import { DownloadError, FileChangedError, wrongAnswers } from './download-error.ts'
import { fetchRange } from './fetch-range.ts'
import type { PullLimits } from './limits.ts'
import type { Network } from './network.ts'
import type { PartFile } from './part-file.ts'
import { retried } from './retried.ts'
import { isSameContent, locate, type RemoteFile } from './remote-file.ts'

export interface DownloadOptions {
  readonly network: Network
  readonly part: PartFile
  readonly remote: RemoteFile
  readonly limits: PullLimits
  readonly log: Pick<Logger, 'warn'>
  readonly signal: AbortSignal
  /** Told whenever bytes are on disk or hashed. */
  readonly onChange: () => void
}

/** What an attempt must add to count as progress; without it a server that sends a byte at a time never ends. */
const PROGRESS_BYTES = 2 ** 20
/** An answer that stays wrong after so many looks is not healed by another one. */
const MAX_LOOKS = 3

/** One download under way. */
export class Download implements AsyncDisposable {
  readonly #options: DownloadOptions
  #hash: FileHash
  #remote: RemoteFile
  #locating: Promise<void> | null = null
  #bestBytes: number
  /** How often the address was looked up again since the last byte. */
  #lookedAgain = 0

  constructor(options: DownloadOptions) {
    this.#options = options
    this.#remote = options.remote
    this.#bestBytes = options.part.doneBytes
    this.#hash = new FileHash(options.part.path, options.onChange)
    this.#hash.advance(options.part.prefixBytes)
  }

  get hashedBytes(): number {
    return this.#hash.hashedBytes
  }

  /** Resolves with the SHA-256 of the whole file. The part keeps what is good when it throws. */
  async run(): Promise<string> {
    const { limits, part, signal } = this.#options
    const stop = new AbortController()
    const lanes = this.#remote.hasRanges ? limits.connections : 1
    const all = AbortSignal.any([signal, stop.signal])
    const working = Array.from({ length: lanes }, async () => {
      try {
        await this.#retried(() => this.#lane(all), all)
      } catch (error) {
        // The first reason is the one to tell: what the others then say is that they were stopped.
        stop.abort(error)
      }
    })
    await Promise.all(working)
    all.throwIfAborted()
    this.#hash.advance(part.content.sizeBytes)
    // The disk is waited for while the rest is hashed.
    const [sha256] = await Promise.all([this.#hash.sha256(), part.sync()])
    return sha256
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#hash[Symbol.asyncDispose]()
  }

  /** Fetches segments until none is left. */
  async #lane(signal: AbortSignal): Promise<void> {
    const { part, limits, network } = this.#options
    if (!this.#remote.hasRanges) await this.#beginAnew()
    for (;;) {
      const range = part.take(this.#remote.hasRanges ? limits.segmentBytes : Infinity)
      if (range === null) return
      let [reached] = range
      const write = async (bytes: Buffer, position: number): Promise<void> => {
        await part.write(bytes, position)
        reached = position + bytes.length
        this.#lookedAgain = 0
        this.#hash.advance(part.prefixBytes)
        this.#options.onChange()
      }
      const remote = this.#remote
      try {
        await fetchRange({ remote, range, network, write, signal })
      } catch (error) {
        part.giveBack(range, reached)
        await this.#lookAgain(error, remote, signal)
      }
    }
  }

  /** Without ranges each attempt begins at the first byte. */
  async #beginAnew(): Promise<void> {
    this.#options.part.clear()
    await this.#hash[Symbol.asyncDispose]()
    this.#hash = new FileHash(this.#options.part.path, this.#options.onChange)
  }

  /** Goes on when the file is still the same at its present address; else throws what stops this lane. */
  async #lookAgain(error: unknown, stale: RemoteFile, signal: AbortSignal): Promise<void> {
    const elsewhere = error instanceof DownloadError && error.outlook === 'elsewhere'
    if (!elsewhere && !(error instanceof FileChangedError)) throw error
    if (this.#lookedAgain >= MAX_LOOKS) throw wrongAnswers(stale.location)
    if (this.#remote === stale) {
      this.#locating ??= this.#locateAgain(stale, signal)
      await this.#locating
    }
    if (!this.#remote.hasRanges) throw new FileChangedError()
  }

  async #locateAgain(stale: RemoteFile, signal: AbortSignal): Promise<void> {
    this.#lookedAgain += 1
    try {
      const now = await locate(stale.url, this.#options.network, signal)
      if (!isSameContent(stale, now)) throw new FileChangedError()
      this.#remote = now
    } finally {
      this.#locating = null
    }
  }

  #retried(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
    return retried(work, {
      ...this.#options,
      signal,
      hasProgress: () => {
        const { doneBytes } = this.#options.part
        if (doneBytes < this.#bestBytes + PROGRESS_BYTES) return false
        this.#bestBytes = doneBytes
        return true
      },
      retries: () => this.#options.limits.retries,
    })
  }
}
