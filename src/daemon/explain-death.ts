/** Turns what the operating system knows of a death into words that take the place of a guess. */
import { basename } from 'node:path'
import type { Clock } from '../clock.ts'
import { findDeathEvidence } from '../host/death-evidence.ts'
import { readOomKillCount } from '../host/oom-count.ts'
import { systemReaders } from '../host/system-readers.ts'
import type { Death, Explanation } from '../supervisor/supervisor-options.ts'

export interface DeathExplainer {
  /** Takes the counts that a death is compared with; before each run. */
  prepare(): Promise<void>
  /** null when nothing is known. Never rejects. */
  explain(death: Death): Promise<Explanation | null>
}

/** `engineFile` is the program of the present run; `signal` ends the search. */
export function createDeathExplainer(
  engineFile: () => string,
  clock: Clock,
  signal: AbortSignal,
): DeathExplainer {
  let oomKillsBefore: number | null = null
  return {
    prepare: async () => {
      oomKillsBefore = await readOomKillCount()
    },
    explain: async (death) => {
      const { pid, signal: deathSignal, startedAtEpochMs, diedAtEpochMs } = death
      const found = await findDeathEvidence(
        {
          pid,
          name: basename(engineFile()),
          signal: deathSignal,
          startedAtMs: startedAtEpochMs,
          diedAtMs: diedAtEpochMs,
        },
        { platform: process.platform, clock, signal, readers: systemReaders(), oomKillsBefore },
      )
      if (found === null || found.kind === 'nothing-found') return null
      const { kind, message, hint, evidence } = found
      // A report of a crash says how it ended, the others that it was ended.
      const cause = kind === 'crash-report' ? 'signal' : 'killed-by-os'
      return { cause, message, hint, evidence }
    },
  }
}
