/** One log file, set aside at a size. A full disk or a vanished folder never stops or throws at its writer. */
import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import { errnoOf, messageOf } from '../errors.ts'

export interface RotatingFileOptions {
  readonly folder: string
  /** `daemon` is written to `daemon.log` and set aside as `daemon1.log`, the newest, up to `daemon<keep>.log`. */
  readonly name: string
  readonly maxBytes: number
  readonly keep: number
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** The file cannot be written: told once, until it can again. */
  onTrouble(reason: string): void
  /** It is written again, without this many lines. */
  onLost(lines: number): void
}

const RETRY_AFTER_MS = 5000
const LOOK_AFTER_MS = 1000
/** Holds the lines of a short outage; what comes beyond it is lost, so that memory stays bounded. */
const MAX_QUEUED_BYTES = 1_048_576

export class RotatingFile {
  readonly #options: RotatingFileOptions
  #queue: Buffer[] = []
  #queuedBytes = 0
  #lost = 0
  #lostTold = 0
  #open: { readonly handle: FileHandle; readonly inode: number } | null = null
  #size = 0
  #inTrouble = false
  #retryAtMs = -Infinity
  #lookAtMs = -Infinity
  #draining: Promise<void> | null = null

  constructor(options: RotatingFileOptions) {
    this.#options = options
  }

  get path(): string {
    return this.#pathOf(0)
  }

  /** Lines that were never written, since the start. */
  get lostLines(): number {
    return this.#lost
  }

  /** Takes one line without its end. Returns at once. */
  write(line: string): void {
    const bytes = Buffer.from(`${line}\n`)
    if (this.#queuedBytes + bytes.length > MAX_QUEUED_BYTES) {
      this.#lost += 1
    } else {
      this.#queue.push(bytes)
      this.#queuedBytes += bytes.length
    }
    const paused = this.#options.clock.monotonicMs() < this.#retryAtMs
    if (!paused && this.#queue.length > 0) this.#draining ??= this.#drain()
  }

  /** Writes what is queued, with one more try when in trouble. */
  async flush(): Promise<void> {
    await this.#draining
    if (this.#queue.length > 0) await this.#drain()
  }

  /** As `flush`; what could not be written then counts as lost. */
  async close(): Promise<void> {
    await this.flush()
    this.#lost += this.#queue.length
    this.#queue = []
    await this.#closeHandle()
  }

  async #drain(): Promise<void> {
    try {
      while (this.#queue.length > 0) {
        await this.#prepare()
        await this.#writeBatch(this.#takeBatch())
        this.#inTrouble = false
        if (this.#queue.length === 0) this.#tellLost()
      }
    } catch (error) {
      await this.#pause(error)
    } finally {
      this.#draining = null
    }
  }

  /** Opens the file, again when it or its folder went away, and sets it aside when the next line is too much. */
  async #prepare(): Promise<void> {
    await this.#checkStillThere()
    if (this.#open === null) await this.#openFile()
    const next = this.#queue[0]?.length ?? 0
    if (this.#size > 0 && this.#size + next > this.#options.maxBytes) await this.#setAside()
  }

  /** A file that was removed takes every write without a word, so look; once a second, for looking costs as much as writing. */
  async #checkStillThere(): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs()
    if (this.#open === null || nowMs < this.#lookAtMs) return
    this.#lookAtMs = nowMs + LOOK_AFTER_MS
    const found = await stat(this.path).catch(ignoreMissing)
    if (found?.ino !== this.#open.inode) await this.#closeHandle()
  }

  async #openFile(): Promise<void> {
    await mkdir(this.#options.folder, { recursive: true, mode: 0o700 })
    const handle = await open(this.path, 'a', 0o600)
    const { size, ino } = await handle.stat()
    this.#open = { handle, inode: ino }
    this.#size = size
  }

  async #setAside(): Promise<void> {
    const { folder, name, keep } = this.#options
    await this.#closeHandle()
    for (const file of await readdir(folder)) {
      const [, stem, number] = /^(.*\D)(\d+)\.log$/.exec(file) ?? []
      if (stem === name && Number(number) >= keep) await rm(join(folder, file), { force: true })
    }
    if (keep === 0) await rm(this.path, { force: true })
    for (let index = keep - 1; index >= 0; index -= 1) {
      await rename(this.#pathOf(index), this.#pathOf(index + 1)).catch(ignoreMissing)
    }
    await this.#openFile()
  }

  #pathOf(index: number): string {
    const { folder, name } = this.#options
    return join(folder, `${name}${index === 0 ? '' : index}.log`)
  }

  /** As many lines as fit into the file; at least one. */
  #takeBatch(): Buffer[] {
    const room = this.#options.maxBytes - this.#size
    let bytes = 0
    let count = 0
    for (const line of this.#queue) {
      if (count > 0 && bytes + line.length > room) break
      bytes += line.length
      count += 1
    }
    this.#queuedBytes -= bytes
    return this.#queue.splice(0, count)
  }

  async #writeBatch(lines: readonly Buffer[]): Promise<void> {
    const all = Buffer.concat(lines)
    let written = 0
    try {
      while (written < all.length) {
        const result = await this.#open?.handle.write(all, written)
        written += result?.bytesWritten ?? 0
      }
      this.#size += written
    } catch (error) {
      await this.#takeBack(lines, written)
      throw error
    }
  }

  /** Queues again what is not on the disk, and cuts off the line that is there in part. */
  async #takeBack(lines: readonly Buffer[], written: number): Promise<void> {
    let whole = 0
    let count = 0
    for (const line of lines) {
      if (whole + line.length > written) break
      whole += line.length
      count += 1
    }
    const rest = lines.slice(count)
    this.#queue = [...rest, ...this.#queue]
    for (const line of rest) this.#queuedBytes += line.length
    await this.#open?.handle.truncate(this.#size + whole).catch(() => undefined)
  }

  async #pause(error: unknown): Promise<void> {
    await this.#closeHandle()
    this.#retryAtMs = this.#options.clock.monotonicMs() + RETRY_AFTER_MS
    if (this.#inTrouble) return
    this.#inTrouble = true
    this.#options.onTrouble(errnoOf(error) ?? messageOf(error))
  }

  #tellLost(): void {
    const lines = this.#lost - this.#lostTold
    if (lines === 0) return
    this.#lostTold = this.#lost
    this.#options.onLost(lines)
  }

  async #closeHandle(): Promise<void> {
    const handle = this.#open?.handle
    this.#open = null
    await handle?.close().catch(() => undefined)
  }
}

function ignoreMissing(error: unknown): undefined {
  if (errnoOf(error) !== 'ENOENT') throw error
}
