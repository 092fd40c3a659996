/** How many lines of the engine a second are worth writing. Pure but for its own counts: time comes in. */
import type { Logger } from '../log.ts'

const SECOND_MS = 1000
/** Loading a model prints some hundred lines a second; what prints more tells nothing new. */
const MAX_LINES = 2000
/** On top of those, so that a flood of chatter cannot hide what went wrong. */
const MAX_TROUBLE_LINES = 500

export class FloodGate {
  #sinceMs = -Infinity
  #lines = 0
  #troubleLines = 0
  #leftOut = 0

  /** Whether this line is to be written; `nowMs` is monotonic. */
  admits(level: keyof Logger, nowMs: number): boolean {
    if (nowMs - this.#sinceMs >= SECOND_MS) {
      this.#sinceMs = nowMs
      this.#lines = 0
      this.#troubleLines = 0
    }
    const isTrouble = level === 'warn' || level === 'error'
    if (this.#lines < MAX_LINES) this.#lines += 1
    else if (isTrouble && this.#troubleLines < MAX_TROUBLE_LINES) this.#troubleLines += 1
    else {
      this.#leftOut += 1
      return false
    }
    return true
  }

  /** Lines left out since this was asked last. */
  takeLeftOut(): number {
    const leftOut = this.#leftOut
    this.#leftOut = 0
    return leftOut
  }
}
