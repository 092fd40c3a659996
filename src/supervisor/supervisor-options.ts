/** What a Supervisor is given, and what it shows. Types only. */
import type { Engine, EngineCounters, EngineProfile, ExitReason } from '../engine.ts'
import type { Graces } from './child.ts'
import type { Lifecycle, Refusal } from './engine-state.ts'
import type { RestartSettings } from './restart-policy.ts'
import type { RunOptions } from './run.ts'
import type { StopReport } from './stop-report.ts'

/** What a look at the engine and the model before a run came to. */
export type PreflightVerdict =
  | { readonly kind: 'go' }
  /** It cannot work: the reason is that of an exit. */
  | { readonly kind: 'cannot'; readonly reason: ExitReason }
  /** The machine is too short of memory just now: not before `room`. */
  | { readonly kind: 'no-room' }
  /** It would not fit. */
  | { readonly kind: 'refuse'; readonly refusal: Refusal }

/** A death that was not asked for, for whoever can find out more about it. */
export interface Death {
  readonly pid: number
  readonly signal: string | null
  readonly startedAtEpochMs: number
  readonly diedAtEpochMs: number
}

export interface Explanation {
  readonly cause: ExitReason['cause']
  readonly message: string
  readonly hint: string | null
  readonly evidence: readonly string[]
}

export interface SupervisorSettings {
  readonly restart: RestartSettings
  readonly graces: Graces
  readonly startTimeoutMs: number
  readonly health: RunOptions['health']
}

export interface SupervisorOptions extends Pick<
  RunOptions,
  'recordFile' | 'clock' | 'log' | 'journal' | 'engineLog' | 'prove'
> {
  /** Called before each run, so that a changed engine, model or config is picked up. */
  readonly engine: (profile: EngineProfile) => Engine
  /** The numbers as they are now; they may change with the config. */
  readonly settings: () => SupervisorSettings
  readonly preflight: (profile: EngineProfile) => Promise<PreflightVerdict>
  /** Waits for open requests before a polite stop, then closes what is left of them. */
  readonly drain: () => Promise<{ readonly unfinished: number }>
  /** Resolves once the config, the model or the engine is not what it was; rejects when aborted. */
  readonly untilChanged: (signal: AbortSignal) => Promise<void>
  /** What the operating system knows of a death; null when nothing. Never rejects. */
  readonly explainDeath: (death: Death) => Promise<Explanation | null>
  /** Random, 0 to 1. */
  readonly random: () => number
}

export interface SupervisorView {
  readonly life: Lifecycle
  /** When the present state began; monotonic. */
  readonly sinceMs: number
  readonly enginePid: number | null
  readonly engineFile: string | null
  readonly socketPath: string | null
  readonly counters: EngineCounters | null
  readonly lastStop: StopReport | null
}
