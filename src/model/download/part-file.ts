/** The part of a download that is on disk, and the note beside it of which bytes are good. */
import { open, readFile, rename, rm, writeFile, type FileHandle } from 'node:fs/promises'
import { errnoOf, fileError } from '../../errors.ts'
import {
  type ByteRange,
  type ByteRanges,
  firstGap,
  parseRanges,
  prefixBytes,
  totalBytes,
  withRange,
} from './byte-ranges.ts'
import { isSameContent, type RemoteFile } from './remote-file.ts'

/** Of which content the part is. */
type Content = Pick<RemoteFile, 'sizeBytes' | 'sha256' | 'validator'>

interface Note extends Content {
  readonly done: ByteRanges
}

/** Holds `<path>` open; the note is `<path>.json`. */
export class PartFile implements AsyncDisposable {
  readonly path: string
  readonly content: Content
  readonly #file: FileHandle
  #done: ByteRanges
  #taken: ByteRanges

  private constructor(path: string, content: Content, file: FileHandle, done: ByteRanges) {
    this.path = path
    this.content = content
    this.#file = file
    this.#done = done
    this.#taken = done
  }

  /** Takes over what an earlier run has left when it is of the same content, else begins anew. */
  static async open(path: string, remote: RemoteFile): Promise<PartFile> {
    const { sizeBytes, sha256, validator } = remote
    const note = remote.hasRanges ? await readNote(path) : null
    const fits = note !== null && isSameContent(note, remote)
    return onDisk('keep the download', path, async () => {
      const file = await open(path, fits ? 'r+' : 'w+', 0o644).catch((error: unknown) => {
        if (fits && errnoOf(error) === 'ENOENT') return open(path, 'w+', 0o644)
        throw error
      })
      const { size } = await file.stat()
      const done = fits ? note.done.filter(([, end]) => end <= size) : []
      if (!fits) await rm(`${path}.json`, { force: true })
      return new PartFile(path, { sizeBytes, sha256, validator }, file, done)
    })
  }

  get doneBytes(): number {
    return totalBytes(this.#done)
  }

  /** From the first byte on without a gap. */
  get prefixBytes(): number {
    return prefixBytes(this.#done)
  }

  /** The first bytes that nobody has or fetches, at most `maxBytes`; null when there are none. */
  take(maxBytes: number): ByteRange | null {
    const gap = firstGap(this.#taken, this.content.sizeBytes, maxBytes)
    if (gap !== null) this.#taken = withRange(this.#taken, gap)
    return gap
  }

  /** What was taken and is not done can be taken again: by those who stopped. */
  giveBack(range: ByteRange, reached: number): void {
    const [start, end] = [reached, range[1]]
    if (start >= end) return
    this.#taken = this.#taken.flatMap(([from, to]): ByteRange[] => {
      if (to <= start || from >= end) return [[from, to]]
      const pieces: ByteRange[] = [
        [from, start],
        [end, to],
      ]
      return pieces.filter(([first, last]) => first < last)
    })
  }

  async write(bytes: Buffer, position: number): Promise<void> {
    await onDisk('write the download', this.path, async () => {
      // A disk that fills up takes a part first and says so only at the next write.
      for (let at = 0; at < bytes.length;) {
        const left = bytes.length - at
        at += (await this.#file.write(bytes, at, left, position + at)).bytesWritten
      }
      this.#done = withRange(this.#done, [position, position + bytes.length])
    })
  }

  /** Forgets all bytes: a server without ranges sends them from the first one again. */
  clear(): void {
    this.#done = []
    this.#taken = []
  }

  /** First the bytes, then the note of them: after a power cut the note must not promise more than there is. */
  async save(): Promise<void> {
    const note: Note = { ...this.content, done: this.#done }
    await onDisk('keep the download', this.path, async () => {
      await this.#file.datasync()
      const temporary = `${this.path}.json.tmp`
      await writeFile(temporary, `${JSON.stringify(note)}\n`)
      await rename(temporary, `${this.path}.json`)
    })
  }

  /** Resolves when all that is written would outlive a power cut. */
  async sync(): Promise<void> {
    await onDisk('keep the download', this.path, () => this.#file.sync())
  }

  /** Puts the whole file in place in one step; the note is no longer needed. */
  async moveTo(destination: string): Promise<void> {
    await this.sync()
    await onDisk('put the model in place', destination, async () => {
      await rename(this.path, destination)
      await this.#removeNotes()
    })
  }

  async remove(): Promise<void> {
    await onDisk('remove the bad download', this.path, async () => {
      await rm(this.path, { force: true })
      await this.#removeNotes()
    })
  }

  /** A run that was killed while it wrote one has left its draft. */
  async #removeNotes(): Promise<void> {
    for (const note of [`${this.path}.json`, `${this.path}.json.tmp`])
      await rm(note, { force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close()
  }
}

/** null when there is no note, or none that can be trusted. */
async function readNote(path: string): Promise<Note | null> {
  const text = await readFile(`${path}.json`, 'utf8').catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return ''
    throw fileError('read what is left of a download', `${path}.json`, error)
  })
  try {
    return parseNote(JSON.parse(text))
  } catch {
    return null
  }
}

function parseNote(value: unknown): Note | null {
  if (typeof value !== 'object' || value === null) return null
  const note: Readonly<Record<string, unknown>> = { ...value }
  const { sizeBytes } = note
  if (typeof sizeBytes !== 'number') return null
  const done = parseRanges(note['done'], sizeBytes)
  if (done === null) return null
  return { sizeBytes, sha256: textOf(note['sha256']), validator: textOf(note['validator']), done }
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

async function onDisk<T>(action: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw fileError(action, path, error)
  }
}
