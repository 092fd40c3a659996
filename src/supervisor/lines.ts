/** Cuts a stream of bytes into lines of bounded length, with bounded memory and work per turn, whatever comes. */
import type { Readable } from 'node:stream'

/** The longest line kept; the rest of a longer one is dropped. */
export const maxLineBytes = 16 * 1024

/**
 * So many lines are told per turn of the event loop; the rest wait. Otherwise a flood, read at a gigabyte a
 * second, would keep everything else of the daemon waiting.
 */
export const linesPerTurn = 60

/** What may wait to be told. Beyond it the older half is dropped: the last lines explain a death. */
export const maxWaitingBytes = 2 * 2 ** 20

/** What one piece of output costs beside its bytes, so that many tiny ones are bounded too. */
const pieceCostBytes = 128
/** As much of the end as `lastLines` looks at. */
const tailBytes = 64 * 1024
const newline = 10

export interface LineListener {
  /** One line without its end. Broken UTF-8 becomes U+FFFD. */
  readonly onLine: (line: string) => void
  /** So many bytes could not be told, because they came faster than they were taken. */
  readonly onDropped: (bytes: number) => void
}

export interface LineReader {
  /** The last lines that are here but not told yet, oldest first; an unfinished one is among them. */
  lastLines(): string[]
  /** What comes from now on is read and thrown away. */
  mute(): void
}

/**
 * Tells the listener each line of `stream`; the stream is never paused: its writer would stand still.
 * Returns at once.
 */
export function onEachLine(stream: Readable, listener: LineListener): LineReader {
  const lines = new Lines(listener)
  stream.on('data', (chunk: Buffer) => lines.push(chunk))
  stream.on('end', () => lines.end())
  // The exit of the process tells the story; a broken pipe by itself adds nothing.
  stream.on('error', () => undefined)
  return lines
}

class Lines implements LineReader {
  readonly #listener: LineListener
  /** Bytes not looked at yet. */
  #waiting: Buffer[] = []
  #waitingBytes = 0
  /** Pieces of the line that has no end yet. */
  #unfinished: Buffer[] = []
  #unfinishedBytes = 0
  /** Until the next newline nothing is told: the line is too long, or its beginning is lost. */
  #skipping = false
  #droppedBytes = 0
  #turnIsDue = false
  #ended = false
  #muted = false

  constructor(listener: LineListener) {
    this.#listener = listener
  }

  push(chunk: Buffer): void {
    if (this.#muted || this.#isOnlySkipped(chunk)) return
    this.#waiting.push(chunk)
    this.#waitingBytes += chunk.length + pieceCostBytes
    if (this.#waitingBytes > maxWaitingBytes) this.#dropOlderHalf()
    if (!this.#turnIsDue) this.#turn()
  }

  /** The middle of a line that is too long anyway: it must not push out anything else. */
  #isOnlySkipped(chunk: Buffer): boolean {
    return this.#skipping && this.#waiting.length === 0 && !chunk.includes(newline)
  }

  end(): void {
    this.#ended = true
    if (this.#waiting.length === 0) this.#finishLast()
  }

  mute(): void {
    this.#muted = true
  }

  lastLines(): string[] {
    const pieces = [...(this.#skipping ? [] : this.#unfinished), ...this.#waiting]
    let from = pieces.length
    for (let bytes = 0; from > 0 && bytes < tailBytes; bytes += pieces[from]?.length ?? 0) from -= 1
    const whole = Buffer.concat(pieces.slice(from))
    const tail = whole.subarray(Math.max(0, whole.length - tailBytes))
    const lines = tail.toString('utf8').split('\n')
    const beginsWithin = this.#skipping || from > 0 || tail.length < whole.length
    if (beginsWithin) lines.shift()
    return lines.filter((line) => line !== '').map((line) => line.slice(0, maxLineBytes))
  }

  #turn(): void {
    this.#tell()
    // Also when all is told: up to 32 chunks of one stream come in one turn of the event loop.
    this.#turnIsDue = true
    setImmediate(() => {
      this.#turnIsDue = false
      if (this.#waiting.length > 0) this.#turn()
    })
    if (this.#ended && this.#waiting.length === 0) this.#finishLast()
  }

  #tell(): void {
    let told = 0
    let from = 0
    let taken = 0
    while (told < linesPerTurn) {
      const chunk = this.#waiting[taken]
      if (chunk === undefined) break
      const end = chunk.indexOf(newline, from)
      if (end === -1) {
        this.#hold(chunk.subarray(from))
        this.#waitingBytes -= chunk.length + pieceCostBytes
        taken += 1
        from = 0
      } else {
        if (this.#finish(chunk.subarray(from, end))) told += 1
        from = end + 1
      }
    }
    this.#waiting = this.#waiting.slice(taken)
    this.#forget(from)
  }

  /** Takes away what was told of the first chunk. */
  #forget(bytes: number): void {
    const [first] = this.#waiting
    if (first === undefined || bytes === 0) return
    this.#waiting[0] = first.subarray(bytes)
    this.#waitingBytes -= bytes
  }

  /** The beginning of a line; more of it is to come. */
  #hold(piece: Buffer): void {
    if (this.#skipping || piece.length === 0) return
    this.#unfinished.push(piece)
    this.#unfinishedBytes += piece.length
    if (this.#unfinishedBytes < maxLineBytes) return
    this.#sayUnfinished()
    this.#skipping = true
  }

  /** The end of a line; false when it was no line to tell. */
  #finish(piece: Buffer): boolean {
    if (this.#skipping) {
      this.#skipping = false
      return false
    }
    if (this.#unfinished.length === 0) this.#say(piece)
    else {
      this.#unfinished.push(piece)
      this.#sayUnfinished()
    }
    return true
  }

  #finishLast(): void {
    if (!this.#skipping && this.#unfinished.length > 0) this.#sayUnfinished()
    this.#sayDropped()
  }

  #sayUnfinished(): void {
    const line = Buffer.concat(this.#unfinished)
    this.#unfinished = []
    this.#unfinishedBytes = 0
    this.#say(line)
  }

  #say(line: Buffer): void {
    this.#sayDropped()
    this.#listener.onLine(line.toString('utf8', 0, wholeCharacters(line, maxLineBytes)))
  }

  #sayDropped(): void {
    if (this.#droppedBytes === 0) return
    const bytes = this.#droppedBytes
    this.#droppedBytes = 0
    this.#listener.onDropped(bytes)
  }

  #dropOlderHalf(): void {
    let count = 0
    let cost = 0
    // The newest piece always stays, however large.
    for (const chunk of this.#waiting.slice(0, -1)) {
      if (cost > maxWaitingBytes / 2) break
      cost += chunk.length + pieceCostBytes
      count += 1
    }
    if (count === 0) return
    const dropped = this.#waiting.splice(0, count)
    this.#waitingBytes -= cost
    this.#droppedBytes += cost - count * pieceCostBytes + this.#unfinishedBytes
    this.#unfinished = []
    this.#unfinishedBytes = 0
    this.#skipping = dropped.at(-1)?.at(-1) !== newline
  }
}

/** Where to cut so that at most `max` bytes remain and no character is halved. */
function wholeCharacters(bytes: Buffer, max: number): number {
  if (bytes.length <= max) return bytes.length
  let end = max
  while (end > max - 4 && isContinuation(bytes[end])) end -= 1
  // No UTF-8 at all: then there is no character to save.
  return isContinuation(bytes[end]) ? max : end
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0b1100_0000) === 0b1000_0000
}
