/** Counts what the port does and did, and waits until no request is with the engine. */
import type { ProxyCounts } from './upstream.ts'

export class InFlight {
  #inFlight = 0
  #held = 0
  #failed = 0
  #served = 0
  #waiting: (() => void)[] = []
  readonly #onBusy: (isBusy: boolean) => void

  /** `onBusy` is told when the first request goes to the engine, and when the last is over. */
  constructor(onBusy: (isBusy: boolean) => void = () => undefined) {
    this.#onBusy = onBusy
  }

  counts(): Omit<ProxyCounts, 'queued' | 'replayed' | 'continued'> {
    return {
      inFlight: this.#inFlight,
      held: this.#held,
      failed: this.#failed,
      served: this.#served,
    }
  }

  /** Counts a request as held while `work` runs. */
  async held<T>(work: () => Promise<T>): Promise<T> {
    this.#held += 1
    try {
      return await work()
    } finally {
      this.#held -= 1
    }
  }

  /** Counts a request as with the engine while `work` runs. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#inFlight += 1
    if (this.#inFlight === 1) this.#onBusy(true)
    try {
      return await work()
    } finally {
      this.#inFlight -= 1
      if (this.#inFlight === 0) this.#becameIdle()
    }
  }

  #becameIdle(): void {
    this.#onBusy(false)
    for (const wake of this.#waiting.splice(0)) wake()
  }

  /** The engine's answer reached the client whole. */
  served(): void {
    this.#served += 1
  }

  /** We answered with a 5xx of our own, or broke an answer off. */
  failed(): void {
    this.#failed += 1
  }

  /** Resolves when no request is with the engine. Held ones do not count. */
  idle(): Promise<void> {
    if (this.#inFlight === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
    })
  }
}
