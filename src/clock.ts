/** The only door to time: wall clock, monotonic clock and a sleep that can be aborted. */
import { setTimeout as sleep } from 'node:timers/promises'

export interface Clock {
  /** Milliseconds since the epoch, for people and records. It can jump. */
  nowMs(): number
  /** Milliseconds since an arbitrary moment, for durations. It never goes back. */
  monotonicMs(): number
  /** Resolves after `delayMs` (0 or more); rejects with an AbortError when `signal` aborts first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (delayMs, signal) =>
    sleep(delayMs, undefined, signal === undefined ? {} : { signal }).then(() => undefined),
}
