/** What a story tells and takes. Types, and a beginning. */
import type { EngineQuestion } from './dialect.ts'
import type { StreamError } from './engine-error.ts'
import type { Tally } from './totals.ts'

export interface Seen extends Readonly<Tally> {
  /** Its own clean end was seen. */
  readonly ended: boolean
  /** The client has been told some of what the model said. */
  readonly contentPassed: boolean
  readonly error: StreamError | null
  /** An error event kept back for a retry or a continuation; to be passed on when there is none. */
  readonly withheld: Buffer | null
  /** How often the rest of the answer came from another request. */
  readonly continuations: number
}

export interface StreamStory {
  /** What goes to the client: `event` itself when nothing must change, null for nothing. */
  take(event: Buffer): Buffer | null
  /** The end of an answer that is whole but for that; nothing more is needed then. null when it is not. */
  conclusion(): Buffer | null
  /** The answer can go on from here, in a request to a new engine. */
  canContinue(): boolean
  /** Why it cannot; null when it can. */
  readonly obstacle: string | null
  /** What to ask the new engine first; the JSON of its answers goes to `answered()` in the same order. */
  questions(): readonly EngineQuestion[]
  answered(answers: readonly unknown[]): void
  /**
   * The request for the rest, for the path of the first; from now on the events of its answer come. null when
   * the questions have no answers, or when those show that it would not be exact.
   */
  continuation(): Buffer | null
  /** The same request again, while none of the model's words was passed on; null when that is no use. */
  retry(): Buffer | null
  readonly seen: Seen
}

export type MutableSeen = { -readonly [K in keyof Seen]: Seen[K] }

export function emptySeen(): MutableSeen {
  return {
    ended: false,
    contentPassed: false,
    error: null,
    withheld: null,
    continuations: 0,
    promptTokens: null,
    cachedTokens: null,
    generatedTokens: null,
    generatedPerSecond: null,
    promptPerSecond: null,
  }
}
