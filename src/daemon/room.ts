/** What a run of the engine needs of memory, and whether the machine has it. */
import type { Config } from '../config/config.ts'
import type { Paths } from '../config/paths.ts'
import type { EngineProfile } from '../engine.ts'
import type { LlamaEngineOptions } from '../llama/llama-engine.ts'
import type { MemoryReading } from '../memory/memory-reading.ts'
import type { Refusal } from '../supervisor/engine-state.ts'
import { llamaOptions } from './engine-settings.ts'
import { needOf } from './memory-plan.ts'
import type { Preflight } from './preflight.ts'
import { judge } from './room-judge.ts'

export interface Room {
  /** What a run set up like this is expected to take; null when unknown. */
  plannedBytes(profile: EngineProfile): number | null
  /** Why a run set up like this must not begin on a machine that reads so; null: it may, or nobody knows. */
  refusal(profile: EngineProfile, reading: MemoryReading): Refusal | null
}

export interface RoomDoors {
  readonly config: () => Config
  readonly paths: Paths
  readonly preflight: Pick<Preflight, 'engineFile' | 'modelFile' | 'contextTokens' | 'facts'>
}

export function createRoom({ config, paths, preflight }: RoomDoors): Room {
  const asked = (): LlamaEngineOptions => llamaOptions(config(), paths, preflight)
  return {
    plannedBytes: (profile) => {
      const { facts } = preflight
      const need = facts === null ? null : needOf(facts, asked(), profile)
      if (facts === null || need === null) return null
      const { gpu } = facts.budget
      return gpu === null || gpu.sharesMemory ? need.totalBytes : need.hostBytes
    },
    refusal: (profile, reading) => {
      const { facts } = preflight
      const verdict = facts === null ? null : judge(facts, asked(), profile, reading)
      if (verdict?.kind !== 'short') return null
      const { message, hint, needBytes, haveBytes } = verdict
      return { message, hint, needBytes, haveBytes }
    },
  }
}
