/** Follows one log file as it grows and as it is rotated, woken by the file system. */
import { watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { fileError } from '../errors.ts'
import type { LogEnd } from '../log-files.ts'
import { MAX_LINE_BYTES, openIfThere } from '../log-files.ts'

const CHUNK_BYTES = 65_536

/**
 * Calls `onLine` with each complete line written after `end`, until `signal` aborts. A file that is
 * renamed away is read to its end before the new one is opened, so that rotation loses no line.
 * Closes the file of `end`.
 */
export async function followFile(
  path: string,
  end: Pick<LogEnd, 'file' | 'endBytes'>,
  signal: AbortSignal,
  onLine: (line: string) => void,
): Promise<void> {
  const follower = new Follower(path, end, onLine)
  const alarm = openAlarm(path)
  const stop = (): void => alarm.ring()
  signal.addEventListener('abort', stop)
  try {
    alarm.watchFile()
    while (!signal.aborted) {
      // Asked for before looking: what is written during the look wakes us again.
      const woken = alarm.next()
      if (await follower.catchUp()) alarm.watchFile()
      else await woken
    }
  } finally {
    signal.removeEventListener('abort', stop)
    alarm.close()
    await follower.close()
  }
}

function openAlarm(path: string): Alarm {
  try {
    return new Alarm(path)
  } catch (error) {
    throw fileError('follow the logs', dirname(path), error)
  }
}

/** Reads what is new in the file at `path`, whichever file that is at the moment. */
class Follower {
  readonly #path: string
  readonly #onLine: (line: string) => void
  #file: FileHandle | null
  #position: number
  #partial = ''
  #decoder = new TextDecoder()

  constructor(
    path: string,
    end: Pick<LogEnd, 'file' | 'endBytes'>,
    onLine: (line: string) => void,
  ) {
    this.#path = path
    this.#file = end.file
    this.#position = end.endBytes
    this.#onLine = onLine
  }

  /** Reads on; true when another file has taken the name, so that the watch must be set anew. */
  async catchUp(): Promise<boolean> {
    const named = await stat(this.#path).catch(() => null)
    await this.#readOn()
    const mine = await this.#file?.stat()
    if (named === null || (mine?.ino === named.ino && mine.dev === named.dev)) return false
    await this.close()
    this.#file = await openIfThere(this.#path)
    await this.#readOn()
    return this.#file !== null
  }

  async close(): Promise<void> {
    await this.#file?.close()
    this.#file = null
    this.#position = 0
    this.#partial = ''
    this.#decoder = new TextDecoder()
  }

  async #readOn(): Promise<void> {
    if (this.#file === null) return
    // Cut to nothing in place: begin again.
    if ((await this.#file.stat()).size < this.#position) this.#position = 0
    const buffer = Buffer.alloc(CHUNK_BYTES)
    for (;;) {
      const { bytesRead } = await this.#file.read(buffer, 0, CHUNK_BYTES, this.#position)
      if (bytesRead === 0) return
      this.#position += bytesRead
      this.#take(this.#decoder.decode(buffer.subarray(0, bytesRead), { stream: true }))
    }
  }

  #take(text: string): void {
    const lines = (this.#partial + text).split('\n')
    this.#partial = (lines.pop() ?? '').slice(0, MAX_LINE_BYTES)
    for (const line of lines) if (line !== '') this.#onLine(line)
  }
}

/** Rings when something happens to the file. The folder tells of new files, the file itself of growth: macOS needs both. */
class Alarm {
  readonly #path: string
  readonly #folder: FSWatcher
  #file: FSWatcher | null = null
  #wake: () => void = () => undefined
  #rung = false

  constructor(path: string) {
    this.#path = path
    this.#folder = watch(dirname(path), (_event, name) => {
      if (name === null || name === basename(path)) this.ring()
    })
    this.#folder.on('error', () => this.ring())
  }

  watchFile(): void {
    this.#file?.close()
    this.#file = null
    try {
      this.#file = watch(this.#path, () => this.ring())
      this.#file.on('error', () => this.ring())
    } catch {
      // Not there, or renamed this very moment: the folder rings for the one that follows.
    }
  }

  ring(): void {
    this.#rung = true
    this.#wake()
  }

  /** Resolves at the next ring, or at once for one since the last call. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#rung = false
        resolve()
      }
      if (this.#rung) this.#wake()
    })
  }

  close(): void {
    this.#folder.close()
    this.#file?.close()
  }
}
