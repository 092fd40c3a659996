/** Turns what the operating system knows of a death into words that take the place of a guess. */
import { basename } from 'node:path'
import type { Clock } from '../clock.ts'
import { type DeathEvidence, findDeathEvidence } from '../host/death-evidence.ts'
import { readOomKillCount } from '../host/oom-count.ts'
import { systemReaders } from '../host/system-readers.ts'
import type { Death, Explanation } from '../supervisor/supervisor-options.ts'

export interface DeathExplainer {
  /** Takes the counts that a death is compared with; before each run. */
  prepare(): Promise<void>
  /** null when nothing is known, or a later death is looked into instead. Never rejects. */
  explain(death: Death): Promise<Explanation | null>
}

/** The next engine comes first; and records are written a moment after the death. */
const beginAfterMs = 1000

/**
 * `engineFile` is the program of the present run; `signal` ends the search. One search at a time: in a
 * crash loop the tools that are asked would cost more than they tell.
 */
export function createDeathExplainer(
  engineFile: () => string,
  clock: Clock,
  signal: AbortSignal,
): DeathExplainer {
  let oomKillsBefore: number | null = null
  let isSearching = false
  const search = async (death: Death): Promise<Explanation | null> => {
    const before = oomKillsBefore
    await clock.sleep(beginAfterMs, signal)
    const readers = systemReaders()
    const deps = { platform: process.platform, clock, signal, readers, oomKillsBefore: before }
    return explanationOf(await findDeathEvidence(evidenceFor(death, engineFile()), deps))
  }
  return {
    prepare: async () => {
      oomKillsBefore = await readOomKillCount()
    },
    explain: async (death) => {
      if (isSearching) return null
      isSearching = true
      try {
        return await search(death)
      } catch {
        // Aborted: the daemon ends.
        return null
      } finally {
        isSearching = false
      }
    },
  }
}

function evidenceFor(death: Death, engineFile: string): Parameters<typeof findDeathEvidence>[0] {
  const { pid, signal, startedAtEpochMs: startedAtMs, diedAtEpochMs: diedAtMs } = death
  return { pid, name: basename(engineFile), signal, startedAtMs, diedAtMs }
}

function explanationOf(found: DeathEvidence | null): Explanation | null {
  if (found === null || found.kind === 'nothing-found') return null
  const { kind, message, hint, evidence } = found
  // A report of a crash says how it ended, the others that it was ended.
  const cause = kind === 'crash-report' ? 'signal' : 'killed-by-os'
  return { cause, message, hint, evidence }
}
