/** Tells when an upload has brought too little for too long. */
import type { Clock } from '../../clock.ts'

/** The sleep took that much longer: nobody ran, the client neither. That time is not held against it. */
const STOOD_STILL_MS = 1000

/**
 * Less than this in the time is as good as nothing: a byte now and then would hold a connection, or a slot
 * of the engine, for ever. In 30 s it is the 500 bytes a second that Apache asks for.
 */
const ENOUGH_BYTES = 16 * 1024

export class QuietWatch {
  readonly #clock: Pick<Clock, 'monotonicMs' | 'sleep'>
  readonly #quietMs: number
  readonly #onQuiet: (cameBytes: number) => void
  readonly #stopped = new AbortController()
  #lastMs: number
  /** Since then. */
  #cameBytes = 0
  #isOnUs = false

  /** Starts at once. `onQuiet` is called at most once, with what came in that time. */
  constructor(
    clock: Pick<Clock, 'monotonicMs' | 'sleep'>,
    quietMs: number,
    onQuiet: (cameBytes: number) => void,
  ) {
    this.#clock = clock
    this.#quietMs = quietMs
    this.#onQuiet = onQuiet
    this.#lastMs = clock.monotonicMs()
    void this.#watch()
  }

  /** Bytes are awaited from now on. */
  touch(): void {
    this.#lastMs = this.#clock.monotonicMs()
    this.#cameBytes = 0
    this.#isOnUs = false
  }

  /** So many came. */
  came(bytes: number): void {
    this.#cameBytes += bytes
    if (this.#cameBytes >= ENOUGH_BYTES) this.touch()
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
    this.#onQuiet(this.#cameBytes)
  }
}

function ignore(): void {}
