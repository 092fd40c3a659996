import type { HeadroomAdvance, HeadroomState } from '../../src/memory/headroom-policy.ts'
import type {
  HeadroomEngine,
  HeadroomInput,
  HeadroomLevel,
  HeadroomSettings,
  HeadroomStep,
} from '../../src/memory/headroom.ts'
import type { MemoryReading } from '../../src/memory/memory-reading.ts'

export interface World {
  readonly appsBytes: number
  readonly leakBytesPerSecond?: number
  readonly swapOutBytesPerSecond?: number
  readonly freeDiskBytes?: number
  readonly pressure?: MemoryReading['pressure']
}

export interface Trace {
  readonly name: string
  readonly title: string
  readonly seconds: number
  readonly world: (atSeconds: number) => World
  readonly busy: (atSeconds: number) => boolean
}

export interface Recording {
  readonly name: string
  readonly title: string
  readonly rows: readonly { readonly reading: Partial<MemoryReading>; readonly idle: boolean }[]
}

export interface Policy {
  readonly advance: (
    before: HeadroomState,
    input: HeadroomInput,
    settings: HeadroomSettings,
  ) => HeadroomAdvance
  readonly initial: HeadroomState
  readonly settings: HeadroomSettings
}

export interface RunEvent {
  readonly atMs: number
  readonly kind: 'level' | 'action'
  /** The level, or the kind of the action. */
  readonly name: string
  readonly message: string
}

export interface Run {
  readonly name: string
  readonly title: string
  readonly reserveBytes: number
  readonly samples: readonly {
    readonly reading: MemoryReading
    readonly level: HeadroomLevel
    readonly step: HeadroomStep
    readonly engine: HeadroomEngine
  }[]
  readonly events: readonly RunEvent[]
}

export function runTrace(trace: Trace, policy: Policy): Run
export function runRecording(recording: Recording, policy: Policy): Run
