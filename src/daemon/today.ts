/** Counts the requests of today: of the local day, as far as this daemon has seen it. */
import type { Clock } from '../clock.ts'
import type { EndedRequest } from '../proxy/accounting/request.ts'
import type { RequestsToday } from './control-protocol.ts'

type Counted = Pick<EndedRequest, 'outcome' | 'tokens'>

export interface Today {
  count(request: Counted): void
  view(): RequestsToday
}

type Counts = { -readonly [Name in keyof Omit<RequestsToday, 'since'>]: number }

/** Call it when the daemon starts: nothing before that is counted. */
export function createToday(clock: Pick<Clock, 'nowMs'>): Today {
  let sinceMs = clock.nowMs()
  let counts = none()
  /** Nothing wakes at midnight: whoever looks finds out that it has passed. */
  const turnThePage = (): void => {
    const midnightMs = new Date(clock.nowMs()).setHours(0, 0, 0, 0)
    if (midnightMs <= sinceMs) return
    sinceMs = midnightMs
    counts = none()
  }
  return {
    count: ({ outcome, tokens }) => {
      turnThePage()
      counts.generatedTokens += tokens?.generatedTokens ?? 0
      if (outcome === 'answered') counts.answered += 1
      else if (outcome === 'refused') counts.refused += 1
      else if (outcome === 'failed' || outcome === 'broken') counts.failed += 1
    },
    view: () => {
      turnThePage()
      return { since: new Date(sinceMs).toISOString(), ...counts }
    },
  }
}

function none(): Counts {
  return { answered: 0, refused: 0, failed: 0, generatedTokens: 0 }
}
