/** Watches an engine that took the place of another one: keeps it when it proves itself, else goes back by itself. */
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import type { Clock } from '../clock.ts'
import { type EngineTrial, endTrial, readTrial, serverOf } from '../engine-trial.ts'
import type { Engine, ExitReason } from '../engine.ts'
import { messageOf } from '../errors.ts'
import type { NewJournalEvent, WriteJournal } from '../journal.ts'
import { askForProof, tooSlow } from '../llama/proof.ts'
import { formatDuration } from '../units.ts'
import { followTrial, NOTHING_SHOWN, TRIAL_MS, type TrialRecord } from './trial-policy.ts'

export interface TrialWatchOptions {
  /** The folder of engines. */
  readonly engines: string
  /** Whether the engine is one of that folder, and not named by the config. */
  readonly isOurs: () => boolean
  readonly journal: WriteJournal
  readonly clock: Pick<Clock, 'sleep'>
  /** The engine in use is another one: start it in place of the one that runs. */
  readonly restart: () => void
  /** The daemon ends. */
  readonly ending: AbortSignal
}

/** A cold model is paged in by the first token, which has been asked for before. */
const PROOF_LIMIT_MS = 120_000

export class TrialWatch {
  readonly #options: TrialWatchOptions
  #trial: EngineTrial | null = null
  #record: TrialRecord = NOTHING_SHOWN
  #goingBack: Promise<void> | null = null

  constructor(options: TrialWatchOptions) {
    this.#options = options
  }

  /** The last trial, as of the last run; null when there was none. */
  get trial(): EngineTrial | null {
    return this.#trial
  }

  /** The earlier engine is being put in use: requests are to wait for it, whatever has become of this one. */
  get isGoingBack(): boolean {
    return this.#goingBack !== null
  }

  /** Before each run: waits until it is decided which engine that is, and sees whether it is on trial. */
  async look(): Promise<void> {
    const { engines, isOurs, journal } = this.#options
    await this.#goingBack
    const trial = isOurs() ? await readTrial(engines) : null
    const isNew = trial !== null && !isSame(trial, this.#trial)
    this.#trial = trial
    if (!isNew) return
    this.#record = NOTHING_SHOWN
    if (trial.outcome === 'running') journal(tellBegun(trial))
  }

  /** Takes every event of the journal. */
  hear(event: NewJournalEvent): void {
    const trial = this.#trial
    if (trial?.outcome !== 'running' || this.isGoingBack) return
    const before = this.#record
    const { next, goBack } = followTrial(before, event)
    this.#record = next
    if (next.proven && !before.proven) void this.#keepLater(trial)
    if (goBack === null) return
    this.#goingBack = this.#goBack(trial, goBack).finally(() => {
      this.#goingBack = null
    })
    void this.#goingBack.then(this.#options.restart)
  }

  /** Why an engine on trial must not have a request yet; null when it may. Rejects only when aborted. */
  async prove(engine: Engine, signal: AbortSignal): Promise<ExitReason | null> {
    const trial = this.#trial
    if (trial?.outcome !== 'running' || this.#record.proven) return null
    const first = await whyNot(trial, engine, signal)
    // Once more: its first answer may have been slow for reasons that are not its own.
    const why = first === null ? null : await whyNot(trial, engine, signal)
    if (why === null) return null
    const message = `llama-server (${trial.engine}) must not replace ${trial.earlier}: ${why}`
    return { cause: 'trial-failed', permanent: false, message, hint: null }
  }

  /** Never rejects. */
  async #keepLater(trial: EngineTrial): Promise<void> {
    const { clock, ending, engines, journal } = this.#options
    try {
      await clock.sleep(TRIAL_MS, ending)
      if (this.isGoingBack || !(await this.#isStill(trial))) return
      this.#trial = await endTrial(engines, trial, 'kept', null)
      journal(tellKept(this.#trial))
    } catch (error) {
      // Nothing depends on it: the next daemon has the trial begin again.
      if (!ending.aborted) journal(tellTrouble(trial, 'write down that it is kept', error))
    }
  }

  /** Never rejects: an engine that cannot be gone back to is no reason to have none. */
  async #goBack(trial: EngineTrial, why: string): Promise<void> {
    const { engines, journal } = this.#options
    try {
      if (!(await this.#isStill(trial))) return
      await access(serverOf(engines, trial.earlier), constants.X_OK)
      this.#trial = await endTrial(engines, trial, 'rolled-back', why)
      journal(tellBack(this.#trial))
    } catch (error) {
      this.#trial = { ...trial, outcome: 'kept', why }
      journal(tellTrouble(trial, `go back to ${trial.earlier}`, error))
    }
  }

  /** Somebody may have put another one in use. */
  async #isStill(trial: EngineTrial): Promise<boolean> {
    const now = await readTrial(this.#options.engines)
    return now?.outcome === 'running' && isSame(now, trial)
  }
}

function isSame(one: EngineTrial, other: EngineTrial | null): boolean {
  return one.begunAt === other?.begunAt && one.engine === other.engine
}

async function whyNot(
  { earlierTokensPerSecond }: EngineTrial,
  { socketPath }: Engine,
  signal: AbortSignal,
): Promise<string | null> {
  const result = await askForProof(socketPath, PROOF_LIMIT_MS, signal)
  return result.kind === 'failed' ? result.why : tooSlow(result.proof, earlierTokensPerSecond)
}

function tellBegun({ engine, earlier, earlierTokensPerSecond }: EngineTrial): NewJournalEvent {
  return {
    kind: 'engine',
    message: `The engine ${engine} is on trial: it must answer before it gets requests, and ${earlier} comes back when it fails in its first ${formatDuration(TRIAL_MS)}`,
    facts: { engine, earlier, earlierTokensPerSecond, outcome: 'running' },
  }
}

function tellKept({ engine, earlier }: EngineTrial): NewJournalEvent {
  return {
    kind: 'engine',
    message: `The engine ${engine} is kept: it did well for ${formatDuration(TRIAL_MS)}`,
    facts: { engine, earlier, outcome: 'kept' },
  }
}

function tellBack({ engine, earlier, why }: EngineTrial): NewJournalEvent {
  return {
    kind: 'engine',
    message: `Went back from the engine ${engine} to ${earlier}: ${why ?? 'as asked'}`,
    hint: `Nothing: ${earlier} is in use again; oss20bd engines shows what there is`,
    facts: { engine, earlier, outcome: 'rolled-back' },
  }
}

function tellTrouble(
  { engine, earlier }: EngineTrial,
  what: string,
  error: unknown,
): NewJournalEvent {
  return {
    kind: 'engine',
    message: `Cannot ${what}: ${messageOf(error)}; the engine ${engine} stays in use`,
    hint: 'Choose another one: oss20bd engines',
    facts: { engine, earlier, outcome: 'kept' },
  }
}
