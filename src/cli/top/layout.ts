/** How the rows of a terminal are shared out. Pure. */

export interface Wishes {
  /** Rows that are there in any case: the head, the line of keys. */
  readonly fixed: number
  /** One for each slot that there is. */
  readonly slots: number
  /** Its title and every request. */
  readonly requests: number
  readonly events: number
  readonly log: number
}

export interface Rows {
  /** Of each plot, without its title; 0: titles alone. */
  readonly plot: number
  readonly slots: number
  readonly requests: number
  readonly events: number
  readonly log: number
}

/** A title and one line. */
const LEAST = 2
const PLOTS = 2

/** What one does not need the next ones get; what the log does not need the events get. */
export function shareRows(rows: number, wishes: Wishes, isWide: boolean): Rows {
  const titles = isWide ? 1 : PLOTS
  let left = Math.max(0, rows - wishes.fixed - titles)
  const take = (wanted: number): number => {
    const taken = Math.max(0, Math.min(wanted, left))
    left -= taken
    return taken
  }
  const plot = plotRows(left, isWide)
  take(isWide ? plot : PLOTS * plot)
  const slots = take(left >= wishes.slots + 3 * LEAST ? wishes.slots : 0)
  const requests = take(Math.min(wishes.requests, Math.max(LEAST, Math.floor(left * 0.4))))
  const few = left < LEAST ? 0 : Math.max(LEAST, Math.floor(left * 0.5))
  const events = take(Math.min(wishes.events, few))
  const log = left < LEAST ? 0 : take(wishes.log)
  return { plot, slots, requests, events: events + take(wishes.events - events), log }
}

function plotRows(left: number, isWide: boolean): number {
  const room = isWide ? left : left / PLOTS
  if (room >= 15) return 5
  if (room >= 11) return 3
  if (room >= 8) return 2
  return room >= 3 ? 1 : 0
}
