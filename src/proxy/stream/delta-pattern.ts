/** Knows the events of a stream again that differ from an earlier one in nothing but the text they bring. Pure. */
import type { Dialect, Reading } from './dialect.ts'
import { parseObject } from './json.ts'
import { readEvent } from './sse-events.ts'

export type Delta = Extract<Reading, { kind: 'delta' }>

const QUOTE = 0x22
const BACKSLASH = 0x5c
const SPACE = 0x20

/** What JSON writes as it is. */
// oxlint-disable-next-line no-control-regex
const PLAIN = /^[^"\\\0-\x1f]+$/
/** Put in the place of a text to see whether that is where it was read from. */
const PROBE = 'oss20bd looks for the place of a text'

/** A stream whose events are never alike is not to be searched for ever. */
const MAX_PATTERNS = 50

/** The pattern of one stream's events: learned from one, until those after it look otherwise. */
export class KnownDeltas {
  readonly #dialect: Pick<Dialect, 'read'>
  #pattern: DeltaPattern | null = null
  #learned = 0

  constructor(dialect: Pick<Dialect, 'read'>) {
    this.#dialect = dialect
  }

  /** What `event` brings, when it is like the one learned; null when it has to be read. */
  read(event: Buffer): Delta | null {
    return this.#pattern?.read(event) ?? null
  }

  /** `event`, which was read as `delta`, tells nothing else: those like it need not be read. */
  learn(event: Buffer, delta: Delta): void {
    if (this.#learned >= MAX_PATTERNS) return
    const pattern = DeltaPattern.of(event, delta, (other) => {
      const { name, data } = readEvent(other)
      const json = parseObject(data ?? '')
      return json === null ? null : this.#dialect.read(json, name)
    })
    if (pattern === null) return
    this.#learned += 1
    this.#pattern = pattern
  }

  forget(): void {
    this.#pattern = null
  }
}

/** Parsing each event as JSON is most of what we do with a token, and nearly all of them are alike. */
export class DeltaPattern {
  readonly #before: Buffer
  readonly #behind: Buffer
  readonly #isReasoning: boolean

  private constructor(before: Buffer, behind: Buffer, isReasoning: boolean) {
    this.#before = before
    this.#behind = behind
    this.#isReasoning = isReasoning
  }

  /**
   * The pattern of `event`, which was read as `delta`; `read` reads an event as that was read. null when the text
   * is not plain, or its place is not sure.
   */
  static of(
    event: Buffer,
    { reasoning, content }: Delta,
    read: (event: Buffer) => Reading | null,
  ): DeltaPattern | null {
    const text = reasoning + content
    if ((reasoning !== '' && content !== '') || !PLAIN.test(text)) return null
    const at = event.indexOf(`"${text}"`)
    if (at === -1) return null
    const before = Buffer.from(event.subarray(0, at + 1))
    const behind = Buffer.from(event.subarray(at + 1 + Buffer.byteLength(text)))
    const seen = read(Buffer.concat([before, Buffer.from(PROBE), behind]))
    const isReasoning = reasoning !== ''
    const isThere =
      seen?.kind === 'delta' &&
      seen.reasoning === (isReasoning ? PROBE : '') &&
      seen.content === (isReasoning ? '' : PROBE)
    return isThere ? new DeltaPattern(before, behind, isReasoning) : null
  }

  /** What `event` brings, when it is one of these; null when it has to be read. */
  read(event: Buffer): Delta | null {
    const start = this.#before.length
    const end = event.length - this.#behind.length
    if (end <= start || !isPlain(event, start, end)) return null
    if (event.compare(this.#before, 0, start, 0, start) !== 0) return null
    if (event.compare(this.#behind, 0, this.#behind.length, end) !== 0) return null
    const text = event.toString('utf8', start, end)
    return this.#isReasoning
      ? { kind: 'delta', reasoning: text, content: '' }
      : { kind: 'delta', reasoning: '', content: text }
  }
}

function isPlain(event: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) {
    const byte = event[at] ?? QUOTE
    if (byte === QUOTE || byte === BACKSLASH || byte < SPACE) return false
  }
  return true
}
