/** What the supervisor knows of the engine, what can happen to it, and what can be done about it. Types and the beginning. */
import type { EngineProfile, ExitReason } from '../engine.ts'

/** Why the engine is not started: it would not fit. The nearest set-up that does is in the hint. */
export interface Refusal {
  readonly message: string
  readonly hint: string | null
  readonly needBytes: number
  readonly haveBytes: number
}

/** Why the model was unloaded although the engine is wanted. */
export type UnloadReason = 'asked' | 'idle' | 'memory'

/** Why a run is ended: a new one follows, unless the model is to be unloaded or the engine is not wanted any more. */
export type EndReason =
  | 'asked'
  /** A new run has none of the caches that this one has filled. */
  | 'recycle'
  /** The next run is to have another context. */
  | 'context'

export interface ReadyState {
  readonly kind: 'ready'
  readonly runId: number
  /** Monotonic. */
  readonly readyAtMs: number
  /** An app got a good answer from this run. */
  readonly answeredWell: boolean
  /** Successive answers that say that the engine cannot compute any more. */
  readonly badAnswers: number
}

export type EngineState =
  | { readonly kind: 'down' }
  | {
      readonly kind: 'starting'
      readonly runId: number
      readonly phase: 'loading' | 'checking'
      /** 0 to 1; null until the engine tells. */
      readonly loadProgress: number | null
    }
  | ReadyState
  /** Was told to end: killed for a `condemned` reason, else `because` of what somebody wants. */
  | {
      readonly kind: 'stopping'
      readonly runId: number
      readonly condemned: ExitReason | null
      readonly because: EndReason
      /** The model is not loaded again by itself. */
      readonly unload: UnloadReason | null
      /** How it was before; null when it had not been ready. */
      readonly was: ReadyState | null
    }
  | { readonly kind: 'backoff'; readonly runId: number; readonly untilMs: number }
  /** Unloaded. A request wakes it; but for want of memory it is loaded again when there is room, and not before. */
  | { readonly kind: 'asleep'; readonly reason: UnloadReason }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'failed'; readonly reason: ExitReason; readonly why: string }

/** A death that was not asked for. */
export interface DeathRecord {
  /** Monotonic. */
  readonly atMs: number
  /** The run had been ready. One that never was counts however long ago: a slow start that fails is no better. */
  readonly wasReady: boolean
}

interface Exit {
  readonly runId: number
  readonly reason: ExitReason
  /** Milliseconds since the epoch. */
  readonly atEpochMs: number
}

/** All that the supervisor knows, replaced whole at each event. */
export interface Lifecycle {
  readonly wanted: 'up' | 'down'
  readonly state: EngineState
  /** What deaths have taken away from the present or next run. */
  readonly profile: EngineProfile
  /** How often its context is halved besides, for want of room on the machine; 0 or more. */
  readonly headroomHalvings: number
  readonly lastRunId: number
  /** Deaths that still count, oldest first. */
  readonly deaths: readonly DeathRecord[]
  /** Runs begun after an earlier run had ended, asked for or not. */
  readonly restarts: number
  readonly lastExit: Exit | null
}

/** How a process ended, for the record. */
export interface ExitRecord {
  readonly pid: number | null
  readonly exitCode: number | null
  readonly signal: string | null
  /** From spawn to exit; null when there was no process. */
  readonly ranMs: number | null
  readonly lastLines: readonly string[]
}

export interface ExitedEvent {
  readonly kind: 'exited'
  readonly runId: number
  readonly reason: ExitReason
  readonly atEpochMs: number
  /** Random, 0 to 1. */
  readonly jitter: number
  readonly exit: ExitRecord
}

export type LifecycleEvent =
  | { readonly kind: 'start' | 'restart' | 'stop' }
  /** Give the memory back; the engine stays wanted. */
  | { readonly kind: 'unload'; readonly reason: UnloadReason }
  /** A request waits for an engine that sleeps. */
  | { readonly kind: 'wake' }
  /** Somebody wants a model that is not loaded, though no request waits for it. */
  | { readonly kind: 'load' }
  /** A new process in place of one that has grown. */
  | { readonly kind: 'recycle' }
  /** For the sake of the machine the context is to be halved so often in all; 0 is as the config asks. */
  | { readonly kind: 'context'; readonly halvings: number }
  /** The machine has room again for what was refused, or unloaded for want of it. */
  | { readonly kind: 'room' }
  /** The config, the model or the engine file is not what it was. */
  | { readonly kind: 'changed' }
  | { readonly kind: 'load-progress'; readonly runId: number; readonly value: number }
  | { readonly kind: 'loaded' | 'check-passed' | 'backoff-over'; readonly runId: number }
  /** Looked at before the run, and found too big for the machine. */
  | { readonly kind: 'refused'; readonly runId: number; readonly refusal: Refusal }
  /** Looked at before the run: the machine is too short of memory just now. */
  | { readonly kind: 'no-room'; readonly runId: number }
  | { readonly kind: 'good-answer'; readonly runId: number }
  /** An answer says that the engine cannot compute; the reason is for the case that it is not the first. */
  | { readonly kind: 'bad-answer'; readonly runId: number; readonly reason: ExitReason }
  /** Alive but no good: it must be killed, and counts as dead for this reason. */
  | { readonly kind: 'condemned'; readonly runId: number; readonly reason: ExitReason }
  | ExitedEvent
  /** The operating system has told more about a death. */
  | {
      readonly kind: 'explained'
      readonly runId: number
      readonly reason: ExitReason
      readonly evidence: readonly string[]
    }

export type Effect =
  | { readonly kind: 'spawn' | 'check' | 'kill'; readonly runId: number }
  /** Polite only to an engine that has answered: one that still loads has nothing to finish. */
  | { readonly kind: 'stop'; readonly runId: number; readonly polite: boolean }
  | { readonly kind: 'wait'; readonly runId: number; readonly delayMs: number }
  /** Look for a change of what stood in the way. */
  | { readonly kind: 'watch' }

export interface Step {
  readonly next: Lifecycle
  readonly effects: readonly Effect[]
}

export const normalProfile: EngineProfile = { safeMode: false, contextHalvings: 0 }

export const initialLifecycle: Lifecycle = {
  wanted: 'down',
  state: { kind: 'down' },
  profile: normalProfile,
  headroomHalvings: 0,
  lastRunId: 0,
  deaths: [],
  restarts: 0,
  lastExit: null,
}

/** How the present or next run is set up. */
export function runProfile({ profile, headroomHalvings }: Lifecycle): EngineProfile {
  return { ...profile, contextHalvings: profile.contextHalvings + headroomHalvings }
}
