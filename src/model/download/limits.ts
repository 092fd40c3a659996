/** The numbers of a download, each with its reason. */

export interface PullLimits {
  /** How many requests are open at once. */
  readonly connections: number
  /** What one request fetches. */
  readonly segmentBytes: number
  /** A connection on which nothing arrives for so long is given up and made anew. */
  readonly stallMs: number
  /** Further attempts that may bring nothing new, of each connection. */
  readonly retries: number
  /** The same while the server has not been reached once, so that "no network" is said soon. */
  readonly retriesWithoutAnswer: number
  readonly firstRetryDelayMs: number
  /** How often progress is told, and the free disk space looked at. */
  readonly tickMs: number
  /** How often the note of what is done is written. */
  readonly saveMs: number
}

export const DEFAULT_LIMITS: PullLimits = {
  // One connection is often held down by its far end; more than a few are rude.
  connections: 4,
  // Small, so that hashing keeps close behind while the pages are still in memory; 361 requests for 12 GB.
  segmentBytes: 32 * 2 ** 20,
  stallMs: 60_000,
  retries: 10,
  retriesWithoutAnswer: 1,
  firstRetryDelayMs: 1000,
  tickMs: 500,
  // What a power cut may cost.
  saveMs: 5000,
}
