/** How many lines of the engine a second are written. Pure but for its own counts: time comes in. */
import type { Logger } from '../log.ts'

const SECOND_MS = 1000
/**
 * Twice what an engine that explains everything prints. One that prints more is out of order, and would wear out the disk
 * and push all that is worth reading out of the file.
 */
const MAX_LINES = 20_000
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
