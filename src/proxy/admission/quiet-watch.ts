/** Tells when an upload has brought no byte for too long. */
import type { Clock } from '../../clock.ts'

/** The sleep took that much longer: nobody ran, the client neither. That time is not held against it. */
const STOOD_STILL_MS = 1000

export class QuietWatch {
  readonly #clock: Pick<Clock, 'monotonicMs' | 'sleep'>
  readonly #quietMs: number
  readonly #onQuiet: () => void
  readonly #stopped = new AbortController()
  #lastMs: number
  #isOnUs = false

  /** Starts at once. `onQuiet` is called at most once. */
  constructor(clock: Pick<Clock, 'monotonicMs' | 'sleep'>, quietMs: number, onQuiet: () => void) {
    this.#clock = clock
    this.#quietMs = quietMs
    this.#onQuiet = onQuiet
    this.#lastMs = clock.monotonicMs()
    void this.#watch()
  }

  /** Bytes came, or are awaited from now on. */
  touch(): void {
    this.#lastMs = this.#clock.monotonicMs()
    this.#isOnUs = false
  }

  /** We do not read: until the next touch the client cannot be blamed. */
  pause(): void {
    this.#isOnUs = true
  }

  stop(): void {
    this.#stopped.abort()
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stopped
    let leftMs = this.#quietMs
    while (leftMs > 0) {
      const dueMs = this.#clock.monotonicMs() + leftMs
      await this.#clock.sleep(leftMs, signal).catch(ignore)
      if (signal.aborted) return
      const nowMs = this.#clock.monotonicMs()
      if (this.#isOnUs || nowMs - dueMs > STOOD_STILL_MS) this.#lastMs = nowMs
      leftMs = this.#lastMs + this.#quietMs - nowMs
    }
    this.#onQuiet()
  }
}

function ignore(): void {}
