/** Cuts a byte stream into server-sent events, reads one and writes one. Pure. */

/** The longest event that is held together. An answer of the engine is far below it. */
const MAX_EVENT_BYTES = 8 * 1024 * 1024

export interface SseCutter {
  /** The events that `bytes` completes, each with its blank line, none of them copied without need. */
  take(bytes: Buffer): Buffer[]
  /** The beginning of an event whose end has not come; it is taken out. */
  rest(): Buffer
  /** An event was longer than the limit and is given on in pieces that are no events by themselves. */
  readonly oversized: boolean
}

export interface SseEvent {
  /** Of the `event:` line. */
  readonly name: string | null
  /** null: a comment, or nothing. */
  readonly data: string | null
}

export function createSseCutter(maxEventBytes = MAX_EVENT_BYTES): SseCutter {
  return new Cutter(maxEventBytes)
}

const LF = 0x0a
const CR = 0x0d
const NONE = Buffer.alloc(0)

class Cutter implements SseCutter {
  readonly #maxEventBytes: number
  /** The beginning of an event; room for more may follow the first `#heldBytes`. */
  #held: Buffer = NONE
  #heldBytes = 0
  #isOurs = false
  #oversized = false

  constructor(maxEventBytes: number) {
    this.#maxEventBytes = maxEventBytes
  }

  get oversized(): boolean {
    return this.#oversized
  }

  take(bytes: Buffer): Buffer[] {
    const before = this.#heldBytes
    const all = before === 0 ? bytes : this.#append(bytes)
    const events: Buffer[] = []
    let start = 0
    // A blank line may have begun in what was here before: two bytes of it at most, with CRLF three.
    let end = endOfEvent(all, Math.max(before - 3, 0))
    while (end !== -1) {
      events.push(all.subarray(start, end))
      start = end
      end = endOfEvent(all, start)
    }
    if (start > 0 || before === 0) this.#hold(all.subarray(start), false)
    if (this.#heldBytes > this.#maxEventBytes) {
      this.#oversized = true
      events.push(this.rest())
    }
    return events
  }

  rest(): Buffer {
    const rest = this.#held.subarray(0, this.#heldBytes)
    this.#hold(NONE, false)
    return rest
  }

  /** Doubles its room, so that an event that comes byte by byte costs no more than one that comes at once. */
  #append(bytes: Buffer): Buffer {
    const length = this.#heldBytes + bytes.length
    if (!this.#isOurs || this.#held.length < length) {
      const larger = Buffer.allocUnsafe(length * 2)
      this.#held.copy(larger, 0, 0, this.#heldBytes)
      this.#held = larger
      this.#isOurs = true
    }
    bytes.copy(this.#held, this.#heldBytes)
    this.#heldBytes = length
    return this.#held.subarray(0, length)
  }

  /** Bytes that were given on are never written to again: what follows them is not ours any more. */
  #hold(bytes: Buffer, isOurs: boolean): void {
    this.#held = bytes
    this.#heldBytes = bytes.length
    this.#isOurs = isOurs
  }
}

/** The place after the next blank line, -1 for none: a line feed, then another with or without a carriage return. */
function endOfEvent(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(LF, from); at !== -1; at = bytes.indexOf(LF, at + 1)) {
    const next = bytes[at + 1]
    if (next === LF) return at + 2
    if (next === CR && bytes[at + 2] === LF) return at + 3
  }
  return -1
}

const DATA = Buffer.from('data: ')
const EVENT = Buffer.from('event: ')

/** `event` as the cutter gave it. */
export function readEvent(event: Buffer): SseEvent {
  return readPlain(event) ?? readAny(event)
}

/** As the engine writes each: a line of data, or its name and a line of data. */
function readPlain(event: Buffer): SseEvent | null {
  const end = event.length - 2
  const isNamed = startsAt(event, EVENT, 0)
  const nameEnd = isNamed ? event.indexOf(LF) : -1
  const from = nameEnd + 1
  if (!startsAt(event, DATA, from) || event.indexOf(LF, from) !== end) return null
  if (event[end - 1] === CR || (isNamed && event[nameEnd - 1] === CR)) return null
  const name = isNamed ? event.toString('utf8', EVENT.length, nameEnd) : null
  return { name, data: event.toString('utf8', from + DATA.length, end) }
}

function readAny(event: Buffer): SseEvent {
  let name: string | null = null
  let data: string | null = null
  for (const line of event.toString('utf8').split(/\r?\n/)) {
    const colon = line.indexOf(':')
    if (colon <= 0) continue
    const value = line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    const field = line.slice(0, colon)
    if (field === 'event') name = value
    if (field === 'data') data = data === null ? value : `${data}\n${value}`
  }
  return { name, data }
}

export function writeEvent(name: string | null, data: string): Buffer {
  return Buffer.from(name === null ? `data: ${data}\n\n` : `event: ${name}\ndata: ${data}\n\n`)
}

export function isWholeEvent(bytes: Buffer): boolean {
  return endOfEvent(bytes, Math.max(bytes.length - 3, 0)) === bytes.length
}

function startsAt(bytes: Buffer, what: Buffer, at: number): boolean {
  const end = at + what.length
  return bytes.length >= end && bytes.compare(what, 0, what.length, at, end) === 0
}
