/** What the supervisor must be told about a server to keep it alive. It knows no llama.cpp. */

/** How to start the engine. `env` is the whole environment: nothing is inherited. */
interface EngineCommand {
  readonly file: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

/** What one line of output says that the supervisor acts on. */
export type EngineFact =
  | { readonly kind: 'load-progress'; /** 0 to 1 */ readonly value: number }
  | { readonly kind: 'loaded' }

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** One line of the engine's output, understood: `text` is safe to log (no prompt, no answer). */
export interface EngineLine {
  readonly level: LogLevel
  readonly text: string
  readonly facts: readonly EngineFact[]
}

export type ExitCause =
  | 'model-missing'
  | 'model-corrupt'
  | 'model-legacy-format'
  | 'bad-flag'
  | 'out-of-memory-load'
  | 'gpu-out-of-memory'
  | 'gpu-error'
  | 'hang'
  | 'assert'
  | 'killed-by-os'
  | 'signal'
  | 'engine-missing'
  | 'start-timeout'
  | 'asked'
  | 'unknown'

/** How a run ended, as the operating system and the last lines tell it. */
export interface RawExit {
  readonly exitCode: number | null
  readonly signal: string | null
  /** The last lines of output, oldest first. */
  readonly lastLines: readonly string[]
  /** Set when the process could not be started at all: the errno name, or null when unknown. */
  readonly spawnError: { readonly errno: string | null; readonly message: string } | null
}

/** Why a run ended, in words for a person. A permanent cause is not retried. */
export interface ExitReason {
  readonly cause: ExitCause
  readonly permanent: boolean
  readonly message: string
  readonly hint: string | null
}

/** Pure functions that describe one kind of server; `src/llama/` holds ours. */
export interface Engine {
  readonly command: EngineCommand
  /** Where it listens: a unix socket. */
  readonly socketPath: string
  /** Reads one line of its output. Pure; never throws. */
  readLine(line: string): EngineLine
  /** Explains an exit. Pure. */
  classifyExit(exit: RawExit): ExitReason
  /** The line on stdin that asks it to leave politely. */
  readonly politeExitLine: string
  /** A cheap GET that answers 200 once the model is loaded. */
  readonly healthPath: string
  /** The smallest request that proves that it can generate. */
  readonly canary: { readonly path: string; readonly json: unknown }
}
