/** What `oss20bd uninstall --purge` removes. Pure. */
import { basename, dirname, join } from 'node:path'
import type { Paths } from '../config/paths.ts'
import { TOKENS } from '../token-files.ts'
import { historyFile } from './bench/history-file.ts'

export interface PurgeList {
  /** With all that is in them. */
  readonly paths: readonly string[]
  /** Only when nothing of anybody else is left in them. */
  readonly folders: readonly string[]
}

/** Names each thing of ours, never a folder that somebody may have pointed us to: OSS20BD_HOME may be a home. */
export function purgeList(paths: Paths): PurgeList {
  const { home, configFile, run, models, engines, logs, cache } = paths
  // The cache is all ours under our own name; under another name it may be shared.
  const caches = basename(cache) === 'oss20bd' ? [cache] : []
  return {
    paths: [
      models,
      engines,
      run,
      logs,
      join(home, TOKENS),
      historyFile(paths),
      configFile,
      ...caches,
    ],
    folders: [...new Set([dirname(run), dirname(configFile), home])],
  }
}
