/** How long a slot is held, by measure, and what that means for those who wait. Pure. */

/** The newest counts for a fifth: a change of load shows after a few requests, one odd request does not. */
const NEWEST_WEIGHT = 0.2

export class ServiceTime {
  #meanMs: number | null = null

  add(heldMs: number): void {
    this.#meanMs =
      this.#meanMs === null ? heldMs : this.#meanMs + NEWEST_WEIGHT * (heldMs - this.#meanMs)
  }

  /** `null` while nothing is measured, or when it cannot be told how many are served at once. */
  expectedWaitMs(position: number, slots: number | null): number | null {
    if (this.#meanMs === null || slots === null || slots < 1) return null
    return (this.#meanMs * position) / slots
  }
}
