/** Finds members of one JSON object in its bytes, without parsing or changing anything else. Pure. */

/** Where a member's value lies: `body.subarray(start, end)`. */
export interface MemberValue {
  readonly start: number
  readonly end: number
}

export interface JsonObject {
  /** Right behind the opening brace. */
  readonly inside: number
  /** Whether it has no member at all. */
  readonly isEmpty: boolean
  /** By name, the last of each, as the engine and JSON.parse take it. Only those that were asked for. */
  readonly members: ReadonlyMap<string, MemberValue>
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d

/** After so many plain bytes of a text it is looked for its end instead of at each byte. */
const PLAIN_BYTES = 48

/** Names longer than this, in bytes, are none of those asked for. */
const MAX_NAME_BYTES = 256

/**
 * Reads the object that fills `body` from `start` to `end`. null when there is none. What lies within the
 * values is walked over, not judged: JSON that is broken there stays for the engine to refuse.
 */
export function readObject(
  body: Buffer,
  wanted: ReadonlySet<string>,
  { start, end }: MemberValue = { start: startOf(body), end: body.length },
): JsonObject | null {
  const walk = new Walk(body, start, end)
  if (!walk.takes(OPEN_BRACE)) return null
  const inside = walk.at
  const members = new Map<string, MemberValue>()
  if (walk.takes(CLOSE_BRACE)) return walk.isDone() ? { inside, isEmpty: true, members } : null
  do {
    const name = walk.text()
    if (name === null || !walk.takes(COLON)) return null
    const value = walk.value()
    if (value === null) return null
    const known = nameOf(body, name)
    if (known !== null && wanted.has(known)) members.set(known, value)
  } while (walk.takes(COMMA))
  return walk.takes(CLOSE_BRACE) && walk.isDone() ? { inside, isEmpty: false, members } : null
}

/** The value when it is a text, its escapes resolved; null for anything else, or when it is longer than `maxBytes`. */
export function textAt(body: Buffer, { start, end }: MemberValue, maxBytes: number): string | null {
  if (body[start] !== QUOTE || end - start > maxBytes) return null
  try {
    const value: unknown = JSON.parse(body.toString('utf8', start, end))
    return typeof value === 'string' ? value : null
  } catch {
    return null
  }
}

/** Whether the value is an object. */
export function isObjectAt(body: Buffer, { start }: MemberValue): boolean {
  return body[start] === OPEN_BRACE
}

/** The engine's parser steps over a byte order mark. */
function startOf(body: Buffer): number {
  return body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? 3 : 0
}

function nameOf(body: Buffer, name: MemberValue): string | null {
  return textAt(body, name, MAX_NAME_BYTES)
}

class Walk {
  readonly #body: Buffer
  readonly #end: number
  /** The next byte to look at. */
  at: number
  /** Where the next of each lies, once it was looked for: each is found once, however often it is asked for. */
  #quote = -1
  #backslash = -1

  constructor(body: Buffer, start: number, end: number) {
    this.#body = body
    this.#end = end
    this.at = start
  }

  /** Steps over white space and then over this byte; false when there is another. */
  takes(byte: number): boolean {
    this.#skipSpace()
    if (this.at >= this.#end || this.#body[this.at] !== byte) return false
    this.at += 1
    return true
  }

  isDone(): boolean {
    this.#skipSpace()
    return this.at === this.#end
  }

  /** Steps over a text with its quotes; null when there is none. */
  text(): MemberValue | null {
    this.#skipSpace()
    const start = this.at
    if (this.#body[start] !== QUOTE || !this.#skipText()) return null
    return { start, end: this.at }
  }

  /** Steps over any value; null when there is none. */
  value(): MemberValue | null {
    this.#skipSpace()
    const start = this.at
    const first = this.#body[start]
    if (first === QUOTE) return this.text()
    const isNested = first === OPEN_BRACE || first === OPEN_BRACKET
    if (isNested ? !this.#skipNested() : !this.#skipPlain()) return null
    return { start, end: this.at }
  }

  #skipSpace(): void {
    while (this.at < this.#end && isSpace(this.#body[this.at])) this.at += 1
  }

  /** A number, true, false or null. */
  #skipPlain(): boolean {
    const start = this.at
    while (this.at < this.#end && !endsPlain(this.#body[this.at])) this.at += 1
    return this.at > start
  }

  /** Counts depth instead of calling itself: a client chooses how deep it is. */
  #skipNested(): boolean {
    let depth = 0
    while (this.at < this.#end) {
      const byte = this.#body[this.at]
      if (byte === QUOTE) {
        if (!this.#skipText()) return false
        continue
      }
      this.at += 1
      if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth += 1
      else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth -= 1
      if (depth === 0) return true
    }
    return false
  }

  #skipText(): boolean {
    // Fields cost three times as much as variables here, in the one loop that sees most bytes.
    const body = this.#body
    const end = this.#end
    let at = this.at + 1
    let leapAt = at + PLAIN_BYTES
    while (at < end) {
      const byte = body[at]
      if (byte === QUOTE) {
        this.at = at + 1
        return true
      }
      at += byte === BACKSLASH ? 2 : 1
      if (byte === BACKSLASH) leapAt = at + PLAIN_BYTES
      if (at < leapAt) continue
      at = this.#leapFrom(at)
      leapAt = at + PLAIN_BYTES
    }
    return false
  }

  /** The next quote or backslash. */
  #leapFrom(at: number): number {
    if (this.#quote < at) this.#quote = this.#find(QUOTE, at)
    if (this.#backslash < at) this.#backslash = this.#find(BACKSLASH, at)
    return Math.min(this.#quote, this.#backslash)
  }

  #find(byte: number, at: number): number {
    const found = this.#body.indexOf(byte, at)
    return found === -1 || found > this.#end ? this.#end : found
  }
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

function endsPlain(byte: number | undefined): boolean {
  return byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET || isSpace(byte)
}
