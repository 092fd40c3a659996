/** The ladder of headroom: its steps, its settings, what it looks at and what it asks for. Types and the order of the steps. */
import type { Known, MemoryReading } from './memory-reading.ts'

/** The ladder, the mildest step first. */
export const HEADROOM_STEPS = [
  'normal',
  'one-at-a-time',
  'recycle',
  'smaller-context',
  'unload',
] as const

export type HeadroomStep = (typeof HEADROOM_STEPS)[number]

export interface HeadroomSettings {
  /** What is to stay free for other apps. */
  readonly reserveBytes: number
  /** A sign of want must last so long before it counts as tight, as critical. */
  readonly tightAfterMs: number
  readonly criticalAfterMs: number
  /** Calm must last so long before a sign is forgotten, and before each step back up. */
  readonly calmAfterMs: number
  /** Between two steps down: an action needs time to show. */
  readonly stepEveryMs: number
  /** Swapping out at this rate is tight, at four times as much critical. */
  readonly swapOutBytesPerSecond: number
  /** Stalls of this share are tight, four times as many critical. */
  readonly stalledPercent: number
  /** An engine that takes so much more than planned, leaks. */
  readonly leakMarginBytes: number
  /** Swap lives in files that are made when needed (macOS): a full disk is then a want of memory. */
  readonly swapFilesGrow: boolean
}

export function rankOf(step: HeadroomStep): number {
  return HEADROOM_STEPS.indexOf(step)
}

export type HeadroomLevel = 'ok' | 'tight' | 'critical'

/** A signal that has lasted long enough to count, and is not yet forgotten. */
export interface Sign {
  readonly name: SignalName
  readonly level: 'tight' | 'critical'
  readonly reach: HeadroomStep
  /** `swap grows by 80.0 MiB/s for 10 s` */
  readonly words: string
}

/** What is looked at; most have a tight and a critical side. */
export type SignalName =
  | 'pressure'
  | 'available'
  | 'swap'
  | 'stalls'
  | 'segments'
  | 'disk'
  | 'footprint'
  | 'gpu'

/** The engine as far as the ladder needs it. */
export interface HeadroomEngine {
  /**
   * `starting` also when it waits to be started again; `stopping` until its memory is free; `asleep` =
   * unloaded but wanted, also when refused for want of room; `off` = not wanted, or given up.
   */
  readonly state: 'ready' | 'starting' | 'stopping' | 'asleep' | 'off'
  /** No request is being answered or waits for it. */
  readonly idle: boolean
  /** What the present run, or the next one, is expected to take. */
  readonly plannedBytes: Known<number>
  readonly contextHalvings: number
  /** So many leave a context that is still of use (8192 tokens); each further one frees ever less. */
  readonly maxContextHalvings: number
}

export interface HeadroomInput {
  readonly reading: MemoryReading
  readonly engine: HeadroomEngine
}

/** `message` is one sentence for the journal, `facts` are its numbers. */
export type HeadroomAction = {
  readonly message: string
  readonly facts: Readonly<Record<string, string | number | null>>
} & (
  | { readonly kind: 'limit-requests' | 'lift-limit' }
  /** Drain, end it, start it again as it was. */
  | { readonly kind: 'recycle' }
  /** Drain, end it, start it again with this many halvings. One that sleeps is only set up so. */
  | { readonly kind: 'smaller-context' | 'larger-context'; readonly contextHalvings: number }
  /** Drain and end it; it stays wanted. */
  | { readonly kind: 'unload' }
  /** There is room again: start it. */
  | { readonly kind: 'load' }
)
