/** A Clock whose monotonic time leaves out the times in which this process could not run. */
import type { Clock } from './clock.ts'

/** One time in which this process, or the machine, stood still. */
export interface WakeGap {
  /** How long this process stood still by the monotonic clock: left out of `monotonicMs()`. 0 when that clock saw nothing. */
  readonly asleepMs: number
  /** By how much the wall clock ran ahead of the monotonic one meanwhile; negative when it was set back. */
  readonly wallJumpMs: number
}

export interface AwakeClockOptions {
  /** Only longer gaps count: dark wakes and busy moments make hundreds of short ones a day. */
  readonly gapMs?: number
  /** How often the ticker looks. Must be well below `gapMs`. */
  readonly tickMs?: number
  /**
   * Told once per gap while `run` runs, from a microtask of its own: never within `monotonicMs()`, so
   * it cannot re-enter a state change that asked for the time. It must not throw.
   */
  onWake(gap: WakeGap): void
}

export interface AwakeClock extends Clock {
  /**
   * The ticker; resolves when `signal` aborts, never rejects. Without it nothing is left out: nobody
   * having asked for the time is then no sign of sleep. Run it once.
   */
  run(signal: AbortSignal): Promise<void>
}

/** Node fires a longer timeout after 1 ms. */
const longestTimeoutMs = 2 ** 31 - 1

/**
 * Suspends every deadline that is kept on it over sleep. Two kinds: where the monotonic clock counts
 * sleep (macOS; SIGSTOP everywhere) the gap is left out; where it stops (Linux suspend) its time is
 * right already and only the wall clock jumps, which is told too. Somebody who set the clock looks
 * the same: what `onWake` starts must be harmless. `nowMs()` stays the wall clock.
 */
export function createAwakeClock(base: Clock, options: AwakeClockOptions): AwakeClock {
  const { gapMs = 60_000, tickMs = 5000 } = options
  let running = false
  let leftOutMs = 0
  let seen = { monotonicMs: base.monotonicMs(), wallMs: base.nowMs() }

  const look = (): number => {
    const now = { monotonicMs: base.monotonicMs(), wallMs: base.nowMs() }
    const passedMs = now.monotonicMs - seen.monotonicMs
    const wallJumpMs = now.wallMs - seen.wallMs - passedMs
    seen = now
    const asleepMs = running && passedMs > gapMs ? passedMs : 0
    leftOutMs += asleepMs
    if (running && (asleepMs > 0 || wallJumpMs > gapMs)) {
      queueMicrotask(() => options.onWake({ asleepMs, wallJumpMs }))
    }
    return now.monotonicMs - leftOutMs
  }

  return {
    nowMs: () => base.nowMs(),
    monotonicMs: look,
    sleep: (delayMs, signal) => sleepAwake(base, look, delayMs, signal),
    run: async (signal) => {
      look()
      running = true
      try {
        for (;;) {
          await base.sleep(tickMs, signal)
          look()
        }
      } catch {
        // Aborted: the only way in which a sleep fails.
      } finally {
        running = false
      }
    },
  }
}

/** Sleeps again for what a gap has taken, until the time of `monotonicMs` has passed. */
async function sleepAwake(
  base: Clock,
  monotonicMs: () => number,
  delayMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const dueMs = monotonicMs() + delayMs
  await base.sleep(Math.min(delayMs, longestTimeoutMs), signal)
  for (let leftMs = dueMs - monotonicMs(); leftMs > 0; leftMs = dueMs - monotonicMs()) {
    // At least 1 ms: a rest below the precision of the clock would never pass.
    await base.sleep(Math.min(Math.max(leftMs, 1), longestTimeoutMs), signal)
  }
}
