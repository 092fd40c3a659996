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
  /** It may live on, but will answer nothing any more: only a new process helps. */
  | { readonly kind: 'broken'; readonly reason: ExitReason }

/** One reading of the counters that the engine keeps of its own work. `null` = it did not say. */
export interface EngineCounters {
  readonly requestsProcessing: number | null
  readonly requestsWaiting: number | null
  /** Grows with every step of work within a request; what it counts is the engine's business. */
  readonly workSteps: number | null
  readonly promptTokens: number | null
  readonly promptSeconds: number | null
  readonly generatedTokens: number | null
  readonly generatedSeconds: number | null
}

/** What one of its slots does. `null` = it did not say. */
export interface EngineSlot {
  readonly id: number
  readonly isBusy: boolean
  /** What it works on, or worked on last; the engine's log names it too. */
  readonly taskId: number | null
  readonly contextTokens: number | null
  /** What its context holds now. */
  readonly heldTokens: number | null
  /** Of the prompt: what it has read or still knew. */
  readonly readTokens: number | null
  readonly generatedTokens: number | null
}

/** Which pipe a line came from: what one of them says may be worth less. */
export type OutputStream = 'stdout' | 'stderr'

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
  /** A machine that held a part of the model went away. */
  | 'remote-lost'
  /** The operating system has no file, process or memory to spare: nobody's fault, and it may pass. */
  | 'system-shortage'
  /** It took the place of another engine, and did not show that it does as well. */
  | 'trial-failed'
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

/** How a run differs from what the config asks for, after deaths that call for it. */
export interface EngineProfile {
  /** The smallest set-up that still answers. */
  readonly safeMode: boolean
  /** How often the context was halved for want of GPU memory; 0 or more. */
  readonly contextHalvings: number
}

/** Pure functions that describe one kind of server; `src/llama/` holds ours. */
export interface Engine {
  readonly command: EngineCommand
  /** Where it listens: a unix socket. */
  readonly socketPath: string
  /** Reads one line of its output. Pure; never throws. */
  readLine(line: string, stream: OutputStream): EngineLine
  /** Explains an exit. Pure. */
  classifyExit(exit: RawExit): ExitReason
  /** The line on stdin that asks it to leave politely. */
  readonly politeExitLine: string
  /** A cheap GET that answers 200 once the model is loaded. */
  readonly healthPath: string
  /** The smallest request that proves that it can generate. */
  readonly canary: { readonly path: string; readonly json: unknown }
  /** A GET that tells its counters, also while it works. */
  readonly countersPath: string
  /** Reads the answer to that; null when it is none. Pure; never throws. */
  readCounters(text: string): EngineCounters | null
  /** A GET that tells what each slot does, for the record before a kill. */
  readonly slotsPath: string
  /** One line per slot, safe to log; none when the answer is not understood. Pure; never throws. */
  describeSlots(text: string): readonly string[]
}
