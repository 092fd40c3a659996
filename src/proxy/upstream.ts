/** What the proxy may ask about the engine behind it. The proxy knows no supervisor. */

/** Where a request can go now, or why it cannot. */
export type Upstream =
  | { readonly kind: 'ready'; readonly socketPath: string; readonly runId: number }
  /** On its way: hold. A changed `progress` renews the hold. */
  | { readonly kind: 'pending'; readonly message: string; readonly progress: number | null }
  /** Not coming by itself: answer 503 with the reason and what to run. */
  | { readonly kind: 'unavailable'; readonly message: string; readonly hint: string }

export interface UpstreamSource {
  /** The upstream now. */
  current(): Upstream
  /** A request waits: an engine that sleeps is to come. Changes nothing otherwise. */
  wake(): void
  /** Resolves at the next change after the call; rejects when `signal` aborts. */
  changed(signal: AbortSignal): Promise<void>
}

/** What the proxy did and does, for `status`. */
export interface ProxyCounts {
  readonly inFlight: number
  readonly queued: number
  readonly held: number
  /** Requests sent again from the beginning. */
  readonly replayed: number
  /** Streams that went on after their engine had died. */
  readonly continued: number
  readonly failed: number
  readonly served: number
}
