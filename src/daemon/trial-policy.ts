/** How an engine on trial does, from what the journal tells: go on, or go back to the earlier one. Pure. */
import type { NewJournalEvent } from '../journal.ts'
import { formatDuration } from '../units.ts'

/** From its first answer on. */
export const TRIAL_MS = 10 * 60_000

/** So many deaths within the trial are a loop; one may be bad luck. */
const deathsToGoBack = 3

export interface TrialRecord {
  /** It has shown all that it must, and was ready. */
  readonly proven: boolean
  readonly deaths: number
}

export const NOTHING_SHOWN: TrialRecord = { proven: false, deaths: 0 }

export interface TrialStep {
  readonly next: TrialRecord
  /** Why to go back; null: go on. */
  readonly goBack: string | null
}

/** Another engine would not do better: the model or the machine is at fault, or somebody. */
const notItsFault = new Set<unknown>([
  'asked',
  'model-missing',
  'model-legacy-format',
  'system-shortage',
  'remote-lost',
])

/** Before its first answer one death is enough: the earlier engine has answered on this machine. */
export function followTrial(trial: TrialRecord, event: NewJournalEvent): TrialStep {
  if (event.kind === 'state' && event.facts?.['to'] === 'ready') {
    return { next: { ...trial, proven: true }, goBack: null }
  }
  if (event.kind !== 'exit' || !isItsDeath(event)) return { next: trial, goBack: null }
  const next = { ...trial, deaths: trial.deaths + 1 }
  if (!trial.proven) return { next, goBack: `it did not come to answer: ${event.message}` }
  if (next.deaths < deathsToGoBack) return { next, goBack: null }
  const often = `${next.deaths} times in its first ${formatDuration(TRIAL_MS)}`
  return { next, goBack: `it died ${often}, at last: ${event.message}` }
}

function isItsDeath({ facts = {} }: NewJournalEvent): boolean {
  // A model that we found to be broken ourselves is so for every engine.
  if (facts['cause'] === 'model-corrupt') return facts['pid'] !== null
  return !notItsFault.has(facts['cause'])
}
