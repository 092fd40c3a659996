/** The moment from which nobody wants the answer to a request: its client leaves, it is cancelled, or the port closes. */
import { setMaxListeners } from 'node:events'

/**
 * An AbortSignal only for those who have to wait with one: to make, hear and forget one costs as much as all
 * else we do with a small request, and most requests never wait.
 */
export class Leaving {
  #hasCome = false
  #controller: AbortController | null = null
  #onCome: (() => void) | null = null

  get hasCome(): boolean {
    return this.#hasCome
  }

  get signal(): AbortSignal {
    this.#controller ??= this.#newController()
    return this.#controller.signal
  }

  /** What is to be done then, at once when it has come already; the last one given counts. */
  onCome(work: () => void): void {
    this.#onCome = work
    if (this.#hasCome) work()
  }

  /** It has come. Only the first call counts. */
  come(): void {
    if (this.#hasCome) return
    this.#hasCome = true
    this.#controller?.abort()
    this.#onCome?.()
  }

  #newController(): AbortController {
    const controller = new AbortController()
    // One request may wait for several things; Node takes more than ten listeners for a leak.
    setMaxListeners(0, controller.signal)
    if (this.#hasCome) controller.abort()
    return controller
  }
}
