/** What the CLI asks the daemon and what it answers: types only. HTTP with JSON on the control socket. */
import type { ExitCause } from '../engine.ts'

/**
 * `GET /status` answers a Status. `GET /events` streams one Status per line at once and at each change.
 * `POST /start` and `POST /restart` make the engine wanted and forget past crashes; `POST /stop-engine`
 * stops the engine and keeps the port; `POST /unload` gives its memory back until a request comes,
 * `POST /load` takes it again without one;
 * `POST /shutdown` ends the daemon. The POSTs answer 202 with a Status. `GET /requests?recent=N` answers a
 * RequestsAnswer, `POST /cancel?id=ID` answers `{ cancelled }`. `POST /dashboard-link` answers `{ url }`,
 * which opens the dashboard with its buttons, once. `GET /feed` and `GET /history?minutes=N` are those of the
 * dashboard (dashboard/feed-protocol.ts). `POST /hand-over?limit-ms=N` answers `{ handedOver }` when the
 * public port is with a keeper, for the daemon that comes next.
 * Errors are `{ error: { message, hint } }` with status 400 or above.
 */
export type ControlVerb = 'start' | 'restart' | 'stop-engine' | 'unload' | 'load' | 'shutdown'

export type EngineStateKind =
  | 'down'
  | 'starting'
  | 'ready'
  | 'stopping'
  | 'backoff'
  | 'asleep'
  | 'refused'
  | 'failed'

/** Unknown is `null`, never 0. Names end with their unit; `...At` is ISO 8601. */
export interface Status {
  readonly daemon: {
    readonly pid: number
    readonly version: string
    readonly uptimeMs: number
    readonly home: string
    readonly logs: string
  }
  readonly wanted: 'up' | 'down'
  readonly engine: {
    readonly state: EngineStateKind
    /** The state in words, with the reason: `next try in 8 s, 3 deaths in 10 min`. */
    readonly detail: string
    /** What a person can do about it; null when nothing is needed. */
    readonly hint: string | null
    readonly sinceMs: number
    readonly pid: number | null
    readonly version: string | null
    readonly path: string
    readonly restarts: number
    readonly lastExit: {
      readonly cause: ExitCause
      readonly message: string
      readonly hint: string | null
      readonly at: string
    } | null
    /** 0 to 1 while loading. */
    readonly loadProgress: number | null
    /** Deaths that count towards safe mode and giving up. */
    readonly deaths: number
    /** The smallest set-up that still answers, after too many deaths; `oss20bd restart` ends it. */
    readonly safeMode: boolean
    /** An engine that took the place of another one; null when there was none since the present one is in use. */
    readonly trial: {
      readonly engine: string
      /** Comes back when it fails. */
      readonly earlier: string
      readonly begunAt: string
      readonly outcome: 'running' | 'kept' | 'rolled-back'
      /** What decided it; null while it runs, and when time alone did. */
      readonly why: string | null
    } | null
    /** How the last stop that was asked for went. */
    readonly lastStop: {
      readonly at: string
      /** Requests that were cut off because they did not finish in time. */
      readonly unfinished: number
      /** What it took; `stuck`: it hangs within the system and was still there. */
      readonly endedBy: 'asked' | 'SIGTERM' | 'SIGKILL' | 'stuck'
      readonly tookMs: number
    } | null
  }
  readonly model: {
    readonly name: string
    readonly path: string
    readonly testModel: boolean
    /**
     * Of the present or next run: less than the config asks for in safe mode, after GPU memory ran
     * out or when memory is tight; null when engine.extraArgs leave it to the engine.
     */
    readonly contextTokens: number | null
    readonly slots: number | null
  }
  readonly proxy: {
    readonly url: string
    /** Further ports of `proxy.alsoListen`. */
    readonly alsoListening: readonly {
      readonly port: number
      readonly isOpen: boolean
      /** Why it is not open; null while nothing is wrong. */
      readonly trouble: string | null
    }[]
    readonly inFlight: number
    readonly queued: number
    readonly held: number
    readonly replayed: number
    /** Streams that went on after their engine had died. */
    readonly continued: number
    readonly failed: number
    readonly today: RequestsToday
    /** Requests that wait for their turn, the next one first. */
    readonly queue: readonly {
      readonly id: string
      readonly client: string
      readonly position: number
      readonly waitedMs: number
      /** null while nothing has been measured. */
      readonly expectedMs: number | null
    }[]
  }
  readonly memory: {
    readonly level: 'ok' | 'tight' | 'critical' | null
    /** What the engine may take: the budget of the machine without the reserve for other apps. */
    readonly budgetBytes: number | null
    /** What the present or next run is expected to take. */
    readonly plannedBytes: number | null
    readonly footprintBytes: number | null
    readonly availableBytes: number | null
    readonly swapUsedBytes: number | null
    /** What `plannedBytes` is made of; null when unknown. */
    readonly plannedParts: PlannedParts | null
    /** How far the engine is restrained for the sake of the machine, the mildest first. */
    readonly step: 'normal' | 'one-at-a-time' | 'recycle' | 'smaller-context' | 'unload'
    /** Why the level is what it is, in words; null when it is ok or nothing is known. */
    readonly reason: string | null
    /** What is done next, and when; null when nothing is to be done. */
    readonly next: string | null
    /** Why values are null, by their names. */
    readonly unknown: Readonly<Record<string, string>>
  }
  readonly gpu: {
    readonly usedBytes: number | null
    /** What it may hold in all. */
    readonly limitBytes: number | null
    /** 0 to 1. */
    readonly utilisation: number | null
  }
  /** Means over the present run of the engine. */
  readonly throughput: {
    readonly generatedTokensPerSecond: number | null
    readonly promptTokensPerSecond: number | null
  }
}

/** Requests that ended since midnight of the local day, or since the daemon started when that was later. */
export interface RequestsToday {
  readonly since: string
  readonly answered: number
  readonly refused: number
  /** Failed, or cut off within the answer. */
  readonly failed: number
  readonly generatedTokens: number
}

/** What a run is expected to take of the memory of the machine. */
export interface PlannedParts {
  readonly weightBytes: number
  /** The keys and values of the context. */
  readonly contextBytes: number
  /** What computing takes, and the program itself. */
  readonly workBytes: number
  /** At most: earlier conversations that are kept. */
  readonly promptCacheBytes: number
}

/** What a daemon started in the background tells its starter over the IPC channel, once. */
export type DaemonReport =
  | { readonly kind: 'listening' }
  | {
      readonly kind: 'failed'
      readonly code: string
      readonly message: string
      readonly hint: string | null
    }
