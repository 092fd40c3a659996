/** A Clock that stands still until the test moves it: due sleepers wake in order of their time. */
import type { Clock } from '../../src/clock.ts'

interface Sleeper {
  readonly dueMs: number
  wake(): void
}

export class FakeClock implements Clock {
  #monotonicMs = 0
  #wallOffsetMs: number
  #sleepers: Sleeper[] = []

  constructor(epochMs: number = Date.UTC(2026, 0, 1)) {
    this.#wallOffsetMs = epochMs
  }

  nowMs(): number {
    return this.#wallOffsetMs + this.#monotonicMs
  }

  monotonicMs(): number {
    return this.#monotonicMs
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper)
        reject(new DOMException('The operation was aborted', 'AbortError'))
      }
      const sleeper: Sleeper = {
        dueMs: this.#monotonicMs + Math.max(0, delayMs),
        wake: () => {
          signal?.removeEventListener('abort', abort)
          resolve()
        },
      }
      if (signal?.aborted === true) return abort()
      signal?.addEventListener('abort', abort, { once: true })
      this.#sleepers.push(sleeper)
    })
  }

  /** How many sleeps wait now. */
  get sleeping(): number {
    return this.#sleepers.length
  }

  /** The time until the next sleeper wakes, or `undefined` when none sleeps. */
  get nextDelayMs(): number | undefined {
    const next = this.#next()
    return next === undefined ? undefined : next.dueMs - this.#monotonicMs
  }

  /** Moves both clocks on. Between two sleepers the promises they settled get to run, so that loops sleep again in time. */
  async advance(durationMs: number): Promise<void> {
    const endMs = this.#monotonicMs + durationMs
    await settle()
    for (let next = this.#next(); next !== undefined && next.dueMs <= endMs; next = this.#next()) {
      // After a stand-still it may be overdue: time does not go back for it.
      this.#monotonicMs = Math.max(this.#monotonicMs, next.dueMs)
      this.#sleepers = this.#sleepers.filter((other) => other !== next)
      next.wake()
      await settle()
    }
    this.#monotonicMs = endMs
    await settle()
  }

  /**
   * Both clocks go on while nobody runs (SIGSTOP, or sleep where the monotonic clock counts it): who
   * should have woken meanwhile wakes with the next `advance`, late.
   */
  standStill(durationMs: number): void {
    this.#monotonicMs += durationMs
  }

  /** The wall clock jumps (sleep of the machine, NTP) while the monotonic one stays. */
  jumpWallClock(durationMs: number): void {
    this.#wallOffsetMs += durationMs
  }

  #next(): Sleeper | undefined {
    let next: Sleeper | undefined
    for (const sleeper of this.#sleepers) {
      if (next === undefined || sleeper.dueMs < next.dueMs) next = sleeper
    }
    return next
  }
}

/** Lets chains of promises run until they wait for something real. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve)
    })
  }
}
