/** What the daemon is given. Types only. */
import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import type { Paths } from '../config/paths.ts'
import type { LogLevel } from '../engine.ts'
import type { ServiceNotify } from '../host/service-notify.ts'
import type { WriteJournal } from '../journal.ts'
import type { Logger } from '../log.ts'

export interface DaemonOptions {
  readonly config: Config
  /** Reads the config again. */
  readonly loadConfig: () => Promise<LoadedConfig>
  readonly configFile: string
  readonly paths: Paths
  readonly version: string
  readonly clock: Clock
  readonly log: Logger
  readonly journal: WriteJournal
  /** Resolves when what was written into the journal until now is in its file. */
  readonly journalWritten: () => Promise<void>
  readonly engineLog: (level: LogLevel, text: string) => void
  /** The service manager, if there is one that wants to be told. */
  readonly notify: ServiceNotify
  /** Somebody asked over the control socket for the daemon to end. */
  readonly onShutdown: () => void
}
