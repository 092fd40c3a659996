/** What the page is told, live: types only, shared by the daemon and the page. */
import type { LogLevel } from '../../engine.ts'
import type { EngineSlot } from '../../engine.ts'
import type { RequestsAnswer } from '../../request-record.ts'
import type { Status } from '../control-protocol.ts'
import type { Sample } from './sample.ts'

/**
 * `GET /oss20bd/feed` sends: `now` at once, at each change and every two seconds; `journal`, the newest
 * events, oldest first, at once; `event`, each one as it comes. Nothing of what was asked or answered is in them.
 */
export interface Now {
  readonly status: Status
  readonly requests: RequestsAnswer
  readonly sample: Sample
  /** As the engine told them last; null when it has not. */
  readonly slots: readonly EngineSlot[] | null
  /** Viewers that were let go because they did not read. */
  readonly droppedViewers: number
}

/** `GET /oss20bd/session` answers it, to anybody. */
export interface SessionAnswer {
  /** This browser has a session: the buttons, the log and the chat are its own. */
  readonly isOpen: boolean
  /** The port wants tokens, so without a session nothing is shown. */
  readonly isNeeded: boolean
}

export interface LogLine {
  readonly atMs: number
  readonly level: LogLevel
  readonly text: string
}

/** `GET /oss20bd/log`, behind a session, sends `lines`: the newest at once, then what comes, oldest first. */
export interface LogNews {
  readonly lines: readonly LogLine[]
  /** How many came before these that were too many to show; engine.log has them. */
  readonly leftOut: number
}

/** `GET /oss20bd/history?minutes=N` answers: one row per sample, oldest first, the values in the order of the names. */
export interface HistoryAnswer {
  readonly names: readonly string[]
  readonly rows: readonly (readonly (number | null)[])[]
}

/** `POST /oss20bd/act/VERB`, behind a session. */
export type PageVerb = 'start' | 'restart' | 'unload' | 'load'
