/** Draws when something is new, and once a second; never so often that the terminal or the processor would notice. */
import type { Clock } from '../../clock.ts'

const AT_MOST_EVERY_MS = 100
const AT_LEAST_EVERY_MS = 1000

export class Redraw {
  readonly #clock: Pick<Clock, 'sleep'>
  #isAsked = true
  #wake: () => void = () => undefined

  constructor(clock: Pick<Clock, 'sleep'>) {
    this.#clock = clock
  }

  ask(): void {
    this.#isAsked = true
    this.#wake()
  }

  /** Resolves when `signal` has aborted. */
  async run(signal: AbortSignal, draw: () => Promise<void> | void): Promise<void> {
    while (!signal.aborted) {
      this.#isAsked = false
      await draw()
      await this.#sleep(AT_MOST_EVERY_MS, signal)
      if (!this.#isAsked) await this.#untilAsked(signal)
    }
  }

  async #untilAsked(signal: AbortSignal): Promise<void> {
    const asked = new AbortController()
    this.#wake = () => asked.abort()
    await this.#sleep(AT_LEAST_EVERY_MS, AbortSignal.any([asked.signal, signal]))
  }

  async #sleep(delayMs: number, signal: AbortSignal): Promise<void> {
    await this.#clock.sleep(delayMs, signal).catch(() => undefined)
  }
}
