/** One log file, set aside at a size. A full disk or a vanished folder never stops or throws at its writer. */
import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from './clock.ts'
import { errnoOf, messageOf } from './errors.ts'
import { logFile } from './log-files.ts'

export interface RotatingFileOptions {
  readonly folder: string
  /** `daemon` is written to `daemon.log` and set aside as `daemon1.log`, the newest, up to `daemon<keep>.log`. */
  readonly name: string
  readonly maxBytes: number
  readonly keep: number
  /**
   * The shortest time between two writes to the disk: each costs as much as 50 lines do. A line after
   * a longer silence is written at once. 0 writes all at once.
   */
  readonly gatherMs: number
  /** Waits for the disk itself after each write, so that a kernel panic or a power loss takes nothing. */
  readonly durable?: boolean
  readonly clock: Pick<Clock, 'monotonicMs' | 'sleep'>
  /** The file cannot be written: told once, until it can again. */
  onTrouble(reason: string): void
  /** It is written again, without this many lines. */
  onLost(lines: number): void
}

const RETRY_AFTER_MS = 5000
const LOOK_AFTER_MS = 1000
/** Holds the lines of a short outage; what comes beyond it is lost, so that memory stays bounded. */
const MAX_QUEUED_BYTES = 1_048_576
/** So much is written without gathering more. */
const GATHERED_BYTES = 262_144
const NEWLINE = 10

export class RotatingFile {
  readonly #options: RotatingFileOptions
  /** As text: turned into bytes a batch at a time, which costs a third of doing it line by line. */
  #queue: string[] = []
  #queuedBytes = 0
  #lost = 0
  #lostTold = 0
  #open: { readonly handle: FileHandle; readonly inode: number } | null = null
  #size = 0
  #inTrouble = false
  #retryAtMs = -Infinity
  #lookAtMs = -Infinity
  #wroteAtMs = -Infinity
  #draining: Promise<void> | null = null
  #gathering: AbortController | null = null
  /** How many callers wait for all to be written. */
  #flushing = 0

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
    const text = `${line}\n`
    const bytes = Buffer.byteLength(text)
    if (this.#queuedBytes + bytes > MAX_QUEUED_BYTES) {
      this.#lost += 1
    } else {
      this.#queue.push(text)
      this.#queuedBytes += bytes
    }
    if (this.#queuedBytes > GATHERED_BYTES) this.#gathering?.abort()
    // It is under way, and will look again when it is done: the usual case in a burst.
    if (this.#draining !== null) return
    const paused = this.#options.clock.monotonicMs() < this.#retryAtMs
    if (!paused && this.#queue.length > 0) this.#draining = this.#drain()
  }

  /** Writes what is queued, with one more try when in trouble. */
  async flush(): Promise<void> {
    this.#flushing += 1
    this.#gathering?.abort()
    await this.#draining
    if (this.#queue.length > 0) await this.#drain()
    this.#flushing -= 1
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
        await this.#gather()
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

  async #gather(): Promise<void> {
    const { clock, gatherMs } = this.#options
    const waitMs = this.#wroteAtMs + gatherMs - clock.monotonicMs()
    if (waitMs <= 0 || this.#flushing > 0 || this.#queuedBytes > GATHERED_BYTES) return
    this.#gathering = new AbortController()
    await clock.sleep(waitMs, this.#gathering.signal).catch(() => undefined)
    this.#gathering = null
  }

  /** Opens the file, again when it or its folder went away, and sets it aside when the next line is too much. */
  async #prepare(): Promise<void> {
    await this.#checkStillThere()
    if (this.#open === null) await this.#openFile()
    const next = Buffer.byteLength(this.#queue[0] ?? '')
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
    const handle = await open(this.path, 'a+', 0o600)
    const { size, ino } = await handle.stat()
    this.#open = { handle, inode: ino }
    this.#size = size
    if (size > 0) await this.#endHalfLine(handle)
  }

  /** A power loss may have left the beginning of a line: the next one must not become its end. */
  async #endHalfLine(handle: FileHandle): Promise<void> {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(1), 0, 1, this.#size - 1)
    if (bytesRead === 0 || buffer[0] === NEWLINE) return
    await handle.write('\n')
    this.#size += 1
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
    return logFile(folder, name, index)
  }

  /** As many lines as fit into the file; at least one. */
  #takeBatch(): string[] {
    const room = this.#options.maxBytes - this.#size
    let bytes = 0
    let count = 0
    for (const line of this.#queue) {
      const length = Buffer.byteLength(line)
      if (count > 0 && bytes + length > room) break
      bytes += length
      count += 1
    }
    this.#queuedBytes -= bytes
    return this.#queue.splice(0, count)
  }

  async #writeBatch(lines: readonly string[]): Promise<void> {
    const all = Buffer.from(lines.join(''))
    let written = 0
    try {
      while (written < all.length) {
        const result = await this.#open?.handle.write(all, written)
        written += result?.bytesWritten ?? 0
      }
      if (this.#options.durable === true) await this.#open?.handle.datasync()
      this.#size += written
      this.#wroteAtMs = this.#options.clock.monotonicMs()
    } catch (error) {
      await this.#takeBack(lines, written)
      throw error
    }
  }

  /** Queues again what is not on the disk, and cuts off the line that is there in part. */
  async #takeBack(lines: readonly string[], written: number): Promise<void> {
    let whole = 0
    let count = 0
    for (const line of lines) {
      const length = Buffer.byteLength(line)
      if (whole + length > written) break
      whole += length
      count += 1
    }
    const rest = lines.slice(count)
    this.#queue = [...rest, ...this.#queue]
    for (const line of rest) this.#queuedBytes += Buffer.byteLength(line)
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
