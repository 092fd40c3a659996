/** One request, from its first line to its end: where it is, how long it waited where, what the engine counted. */
import type { Clock } from '../../clock.ts'
import type {
  RequestOutcome,
  RequestPhase,
  RequestRecord,
  RequestView,
} from '../../request-record.ts'
import type { Api } from '../api.ts'

export interface NewRequest {
  /** The name of its token, else the app's address. */
  readonly client: string
  readonly api: Api | null
  readonly method: string
  /** May carry a query, which is not kept. */
  readonly path: string
  /** null: not read yet. */
  readonly alias: string | null
  readonly bytes: number | null
}

/** What the engine says it counted, as a stream's story tells it; what is null here changes nothing. */
export interface SeenTokens {
  readonly promptTokens: number | null
  readonly cachedTokens: number | null
  readonly generatedTokens: number | null
  readonly promptPerSecond: number | null
  readonly generatedPerSecond: number | null
}

export interface RequestEnd {
  /** null: the client left before there was one. */
  readonly status: number | null
  readonly outcome: RequestOutcome
}

/**
 * What its exchange tells as it goes. Each phase may come again, and its times add up. After `end`
 * nothing changes any more, and a second `end` is nothing.
 */
export interface OpenRequest {
  readonly id: string
  readonly client: string
  readonly isCancelled: boolean
  /** How long it has waited for a slot, and for the engine, up to where it is now. */
  readonly queuedMs: number
  readonly heldMs: number
  /** What only the body told. */
  asks(facts: { readonly alias?: string | null; readonly bytes?: number }): void
  /** It waits for a slot. */
  queued(): void
  /** It waits for the engine. */
  held(): void
  /** It is with the engine. */
  forwarded(): void
  /** A byte of the answer went to the client; only the first is stamped. */
  firstByte(): void
  /** It is to be sent again from the beginning. Say also where it waits. */
  replayed(): void
  /** Its stream is to go on after the engine had died. Say also where it waits. */
  continued(): void
  seen(tokens: Partial<SeenTokens>): void
  /** What ends it early; the last one given counts. Called at once when it was cancelled already, and never twice. */
  onCancel(stop: () => void): void
  /** One that was cancelled ends as `cancelled`, unless it was answered all the same. */
  end(end: RequestEnd): void
}

/** What is kept of a request that is over; its texts are made only when somebody looks. */
export interface EndedRequest {
  readonly id: string
  /** null when it took no slot. */
  readonly api: Api | null
  readonly tookMs: number
  readonly outcome: RequestOutcome
  readonly queuedMs: number
  readonly heldMs: number
  readonly firstByteMs: number | null
  readonly tokens: Partial<SeenTokens> | null
  readonly replays: number
  readonly continuations: number
  record(): RequestRecord
}

/** A client chooses these texts, and a thousand of them are kept. */
const MAX_CLIENT_CHARACTERS = 64
const MAX_METHOD_CHARACTERS = 16
const MAX_PATH_CHARACTERS = 120
const MAX_ALIAS_CHARACTERS = 80

export class TrackedRequest implements OpenRequest, EndedRequest {
  readonly id: string
  get client(): string {
    return this.#asked.client
  }

  get api(): Api | null {
    return this.#asked.api
  }

  readonly #asked: Pick<NewRequest, 'client' | 'api' | 'method' | 'path'>
  readonly #clock: Pick<Clock, 'nowMs' | 'monotonicMs'>
  #onEnd: ((ended: EndedRequest) => void) | null
  #alias: string | null
  #bytes: number | null
  readonly #startedAtMs: number
  readonly #beganMs: number
  #phase: RequestPhase = 'received'
  #phaseBeganMs: number
  #stop: (() => void) | null = null
  #status: number | null = null
  outcome: RequestOutcome = 'failed'
  tookMs = 0
  queuedMs = 0
  heldMs = 0
  firstByteMs: number | null = null
  tokens: Partial<SeenTokens> | null = null
  replays = 0
  continuations = 0
  isCancelled = false

  constructor(
    id: string,
    asked: NewRequest,
    clock: Pick<Clock, 'nowMs' | 'monotonicMs'>,
    onEnd: (ended: EndedRequest) => void,
  ) {
    this.id = id
    // Copied: the caller's object may be larger than its type says.
    this.#asked = {
      client: shorten(asked.client, MAX_CLIENT_CHARACTERS),
      api: asked.api,
      method: shorten(asked.method, MAX_METHOD_CHARACTERS),
      path: shorten(withoutQuery(asked.path), MAX_PATH_CHARACTERS),
    }
    this.#clock = clock
    this.#onEnd = onEnd
    this.#alias = asked.alias === null ? null : shorten(asked.alias, MAX_ALIAS_CHARACTERS)
    this.#bytes = asked.bytes
    this.#startedAtMs = clock.nowMs()
    this.#beganMs = clock.monotonicMs()
    this.#phaseBeganMs = this.#beganMs
  }

  asks({ alias, bytes }: { alias?: string | null; bytes?: number }): void {
    if (this.#onEnd === null) return
    if (alias != null) this.#alias = shorten(alias, MAX_ALIAS_CHARACTERS)
    if (bytes !== undefined) this.#bytes = bytes
  }

  queued(): void {
    this.#enter('queued')
  }

  held(): void {
    this.#enter('held')
  }

  forwarded(): void {
    this.#enter('engine')
  }

  firstByte(): void {
    if (this.#phase === 'answering' || this.#onEnd === null) return
    this.#enter('answering')
    this.firstByteMs ??= this.#phaseBeganMs - this.#beganMs
  }

  replayed(): void {
    if (this.#onEnd !== null) this.replays += 1
  }

  continued(): void {
    if (this.#onEnd !== null) this.continuations += 1
  }

  seen(tokens: Partial<SeenTokens>): void {
    if (this.#onEnd !== null) this.tokens = merge(this.tokens, tokens)
  }

  onCancel(stop: () => void): void {
    if (this.#onEnd === null) return
    if (this.isCancelled && this.#stop === null) stop()
    this.#stop = stop
  }

  cancel(): void {
    if (this.isCancelled) return
    this.isCancelled = true
    this.#stop?.()
  }

  end({ status, outcome }: RequestEnd): void {
    const onEnd = this.#onEnd
    if (onEnd === null) return
    this.#enter(this.#phase)
    this.tookMs = this.#phaseBeganMs - this.#beganMs
    this.#status = status
    this.outcome = this.isCancelled && outcome !== 'answered' ? 'cancelled' : outcome
    this.#onEnd = null
    // It may hold on to a whole exchange.
    this.#stop = null
    onEnd(this)
  }

  view(): RequestView {
    const nowMs = this.#clock.monotonicMs()
    const phaseMs = nowMs - this.#phaseBeganMs
    return {
      ...this.#facts(),
      queuedMs: Math.round(this.queuedMs + (this.#phase === 'queued' ? phaseMs : 0)),
      heldMs: Math.round(this.heldMs + (this.#phase === 'held' ? phaseMs : 0)),
      phase: this.#phase,
      phaseMs: Math.round(phaseMs),
      ageMs: Math.round(nowMs - this.#beganMs),
      isCancelled: this.isCancelled,
    }
  }

  record(): RequestRecord {
    return {
      ...this.#facts(),
      endedAt: new Date(this.#startedAtMs + this.tookMs).toISOString(),
      status: this.#status,
      outcome: this.outcome,
      tookMs: Math.round(this.tookMs),
    }
  }

  #enter(phase: RequestPhase): void {
    if (this.#onEnd === null) return
    const nowMs = this.#clock.monotonicMs()
    if (this.#phase === 'queued') this.queuedMs += nowMs - this.#phaseBeganMs
    if (this.#phase === 'held') this.heldMs += nowMs - this.#phaseBeganMs
    this.#phase = phase
    this.#phaseBeganMs = nowMs
  }

  #facts(): Omit<RequestView, 'phase' | 'phaseMs' | 'ageMs' | 'isCancelled'> {
    return {
      id: this.id,
      ...this.#asked,
      alias: this.#alias,
      bytes: this.#bytes,
      startedAt: new Date(this.#startedAtMs).toISOString(),
      queuedMs: Math.round(this.queuedMs),
      heldMs: Math.round(this.heldMs),
      firstByteMs: this.firstByteMs === null ? null : Math.round(this.firstByteMs),
      promptTokens: this.tokens?.promptTokens ?? null,
      cachedTokens: this.tokens?.cachedTokens ?? null,
      generatedTokens: this.tokens?.generatedTokens ?? null,
      promptPerSecond: this.tokens?.promptPerSecond ?? null,
      generatedPerSecond: this.tokens?.generatedPerSecond ?? null,
      replays: this.replays,
      continuations: this.continuations,
    }
  }
}

const TOKEN_KEYS = [
  'promptTokens',
  'cachedTokens',
  'generatedTokens',
  'promptPerSecond',
  'generatedPerSecond',
] as const

function merge(before: Partial<SeenTokens> | null, now: Partial<SeenTokens>): Partial<SeenTokens> {
  const merged: { -readonly [Name in keyof SeenTokens]?: SeenTokens[Name] } = { ...before }
  for (const key of TOKEN_KEYS) {
    const value = now[key]
    if (value != null) merged[key] = value
  }
  return merged
}

function withoutQuery(path: string): string {
  const at = path.indexOf('?')
  return at === -1 ? path : path.slice(0, at)
}

/** A part of a text keeps the whole of it in memory, so a long one is copied. */
function shorten(text: string, maxCharacters: number): string {
  return text.length <= maxCharacters
    ? text
    : Buffer.from(text.slice(0, maxCharacters - 1), 'utf8').toString('utf8') + '…'
}
