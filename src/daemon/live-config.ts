/** The config as it is now: what concerns the next run of the engine follows the file, the rest waits for the next daemon. */
import type { Config } from '../config/config.ts'
import { configError, type LoadedConfig } from '../config/load-config.ts'
import type { WriteJournal } from '../journal.ts'

/** Read anew before each run of the engine; every other section is in use already. */
export const liveSections = ['model', 'engine', 'restart', 'health', 'idle', 'memory'] as const

export interface LiveConfig {
  current(): Config
  /** Reads file, environment and flags again. One with mistakes changes nothing: that is told. Never rejects. */
  refresh(): Promise<void>
}

export function createLiveConfig(
  first: Config,
  load: () => Promise<LoadedConfig>,
  journal: WriteJournal,
): LiveConfig {
  let config = first
  /** What was told of a change that is not in use, so that it is told once and not at each run. */
  let lastTold: string | null = null
  const tellOnce = (message: string, hint: string): void => {
    if (message !== lastTold) journal({ kind: 'changed', message, hint })
    lastTold = message
  }
  return {
    current: () => config,
    refresh: async () => {
      const loaded = await load()
      if (loaded.kind === 'invalid') {
        const { message } = configError(loaded.problems)
        return tellOnce(
          `The config cannot be used, so the last good one is kept: ${message}`,
          mistakesHint,
        )
      }
      const { live, waiting } = changedSections(config, loaded.config)
      if (waiting.length === 0) lastTold = null
      else tellOnce(`The config changed in [${waiting.join('], [')}]`, waitingHint)
      if (live.length === 0) return
      const { model, engine, restart, health, idle, memory } = loaded.config
      config = { ...config, model, engine, restart, health, idle, memory }
      const message = `The config changed in [${live.join('], [')}]: used from this run of the engine on`
      journal({ kind: 'changed', message })
    },
  }
}

const mistakesHint = 'Correct the config file; oss20bd config shows what is wrong'
const waitingHint = 'It is used once the daemon is started anew: oss20bd stop, then oss20bd start'

/** Which sections differ: those that the next run takes up, and those that wait. Pure. */
export function changedSections(
  before: Config,
  after: Config,
): { readonly live: readonly string[]; readonly waiting: readonly string[] } {
  const sections: readonly (keyof Config)[] = [...liveSections, 'proxy', 'power', 'notify', 'log']
  const changed = sections.filter(
    (section) => JSON.stringify(before[section]) !== JSON.stringify(after[section]),
  )
  const isLive = new Set<string>(liveSections)
  return {
    live: changed.filter((section) => isLive.has(section)),
    waiting: changed.filter((section) => !isLive.has(section)),
  }
}
