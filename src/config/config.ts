/** The Config type, fully resolved. */

/** What the user wants, complete: no optional field inward. Durations in ms, sizes in bytes. */
export interface Config {
  readonly model: {
    /** A GGUF file; null = what `oss20bd up` chose (`models/current`). */
    readonly path: string | null
    readonly alias: string
    /** Of one conversation; `auto`: the largest that fits. */
    readonly contextTokens: number | 'auto'
    readonly slots: number
    readonly cacheType: 'f16' | 'q8_0'
    readonly promptCacheBytes: number
  }
  readonly engine: {
    /** An installed llama-server; null = the built one (`engines/current`). */
    readonly path: string | null
    readonly extraArgs: readonly string[]
    readonly startTimeoutMs: number
    readonly drainTimeoutMs: number
    readonly exitGraceMs: number
    readonly termGraceMs: number
  }
  readonly restart: {
    readonly baseDelayMs: number
    readonly maxDelayMs: number
    readonly windowMs: number
    readonly safeModeAfter: number
    readonly giveUpAfter: number
  }
  readonly health: {
    readonly hangTimeoutMs: number
    readonly scrapeIntervalMs: number
    readonly canaryTimeoutMs: number
    readonly canaryIntervalMs: number
    readonly wakeGapMs: number
  }
  readonly power: { readonly keepAwake: boolean }
  readonly notify: { readonly desktop: boolean }
  /** `auto`: by the size of the machine. */
  readonly idle: { readonly unloadAfterMs: number | 'auto' | 'off' }
  readonly proxy: {
    readonly host: string
    readonly port: number
    readonly alsoListen: readonly number[]
    readonly holdTimeoutMs: number
    readonly allowedHosts: readonly string[]
    readonly allowedOrigins: readonly string[]
    readonly aliases: readonly string[]
    readonly continueStreams: boolean
    readonly limits: {
      readonly queued: number
      readonly keepBytes: number
      readonly heldBytes: number
      readonly bodyBytes: number
      readonly uploadTimeoutMs: number
      readonly headersTimeoutMs: number
      readonly connections: number
    }
  }
  readonly memory: {
    readonly budgetBytes: number | null
    readonly reserveBytes: number
    readonly tightAfterMs: number
    readonly criticalAfterMs: number
    readonly calmAfterMs: number
    readonly stepEveryMs: number
    readonly swapOutBytesPerSecond: number
    readonly stalledPercent: number
    readonly leakMarginBytes: number
  }
  readonly log: {
    readonly level: 'debug' | 'info' | 'warn' | 'error'
    readonly maxBytes: number
    readonly keep: number
  }
}
