/** What is known of the requests at the public port, as the daemon tells it and the CLI shows it. Types only. */

/** Where an open request is: `engine` has it and has sent nothing yet; `answering` once the client had a first byte. */
export type RequestPhase = 'received' | 'queued' | 'held' | 'engine' | 'answering'

export type RequestOutcome =
  /** The engine's answer reached the client whole, whatever its status. */
  | 'answered'
  /** We said no before the engine had it: no place in the queue, a token, a limit. */
  | 'refused'
  /** We had to answer with an error: the engine did not come, or died for good. */
  | 'failed'
  /** The answer had begun and could not be finished; the client was told. */
  | 'broken'
  /** The client left before the end. */
  | 'client-gone'
  /** Unanswered, to the daemon that takes the place of this one. */
  | 'passed-on'
  /** `oss20bd cancel`. */
  | 'cancelled'

/** Never what was asked or answered. Unknown is `null`, never 0. */
interface RequestFacts {
  /** Short, and unique while a daemon lives. */
  readonly id: string
  /** The name of its token, else the app's address. */
  readonly client: string
  /** `chat`, `completions`, `responses`, `messages`, `native`; null when it takes no slot. */
  readonly api: string | null
  readonly method: string
  /** Without its query. */
  readonly path: string
  /** The model's name as the client gave it, known or not. */
  readonly alias: string | null
  /** The size of the request's body. */
  readonly bytes: number | null
  /** ISO 8601, UTC. */
  readonly startedAt: string
  /** All waits for a slot together. */
  readonly queuedMs: number
  /** All waits for the engine together. */
  readonly heldMs: number
  /** From its start to the first byte for the client. */
  readonly firstByteMs: number | null
  readonly promptTokens: number | null
  /** Of those, what the engine still knew. */
  readonly cachedTokens: number | null
  readonly generatedTokens: number | null
  readonly promptPerSecond: number | null
  readonly generatedPerSecond: number | null
  /** How often it was sent again from the beginning. */
  readonly replays: number
  /** How often its stream went on after the engine had died. */
  readonly continuations: number
}

/** A request that is open now. */
export interface RequestView extends RequestFacts {
  readonly phase: RequestPhase
  readonly phaseMs: number
  readonly ageMs: number
  /** Cancelled, and not yet ended. */
  readonly isCancelled: boolean
}

/** A request that is over. */
export interface RequestRecord extends RequestFacts {
  readonly endedAt: string
  /** null: the client left before there was one. */
  readonly status: number | null
  readonly outcome: RequestOutcome
  readonly tookMs: number
}

/** Sums since the daemon started. Times and tokens are those of requests that are over. */
export interface RequestTotals {
  readonly open: number
  readonly ended: number
  readonly byOutcome: Readonly<Record<RequestOutcome, number>>
  readonly replays: number
  readonly continuations: number
  readonly promptTokens: number
  readonly cachedTokens: number
  readonly generatedTokens: number
  readonly queuedMs: number
  readonly heldMs: number
  /** Of the requests that had a first byte, whose number is `firstBytes`. */
  readonly firstByteMs: number
  readonly firstBytes: number
}

/** What `GET /requests` on the control socket answers. */
export interface RequestsAnswer {
  /** Oldest first. */
  readonly open: readonly RequestView[]
  /** Newest first. */
  readonly recent: readonly RequestRecord[]
  readonly totals: RequestTotals
}
