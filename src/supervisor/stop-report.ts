/** How a stop of the engine went, in words. Pure. */
import type { NewJournalEvent } from '../journal.ts'
import type { endChild } from './child.ts'

/** How the last stop that was asked for went. */
export interface StopReport {
  readonly runId: number
  readonly atEpochMs: number
  /** Requests that were cut off. */
  readonly unfinished: number
  /** What it took. */
  readonly endedBy: Awaited<ReturnType<typeof endChild>>
  readonly tookMs: number
}

/** `polite`: it had been asked to leave first. */
export function tellStop(report: StopReport, polite: boolean): NewJournalEvent {
  const { atEpochMs: _at, ...facts } = report
  const { unfinished, endedBy } = report
  return {
    kind: 'stop-report',
    message: describeStop(unfinished, endedBy, polite),
    hint: endedBy === 'stuck' ? stuckHint : null,
    facts,
  }
}

const stuckHint = 'When it does not go away, restart the machine: no program can end such a process'

function describeStop(unfinished: number, endedBy: StopReport['endedBy'], polite: boolean): string {
  const cut = unfinished === 1 ? '1 request was cut off' : `${unfinished} requests were cut off`
  const requests = unfinished === 0 ? 'No request was cut off' : cut
  if (endedBy === 'asked') return `${requests}; the engine left when asked`
  if (endedBy === 'stuck') return `${requests}; ${stuck}`
  if (endedBy === 'SIGKILL') return `${requests}; the engine had to be killed (SIGKILL)`
  return `${requests}; the engine was ended by SIGTERM${polite ? ', it did not leave when asked' : ''}`
}

const stuck = 'even SIGKILL has not ended the engine yet: it hangs within the system'
