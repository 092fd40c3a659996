/** What a run of the engine needs of memory, and whether the machine has it. */
import type { Config } from '../config/config.ts'
import type { Paths } from '../config/paths.ts'
import type { EngineProfile } from '../engine.ts'
import type { LlamaEngineOptions } from '../llama/llama-engine.ts'
import type { MemoryReading } from '../memory/memory-reading.ts'
import type { Refusal } from '../supervisor/engine-state.ts'
import type { PlannedParts } from './control-protocol.ts'
import { llamaOptions } from './engine-settings.ts'
import { needOf } from './memory-plan.ts'
import { partsInMemory, sumOf } from './planned-parts.ts'
import type { Preflight } from './preflight.ts'
import { judge } from './room-judge.ts'

export interface Room {
  /** What a run set up like this is expected to take; null when unknown. */
  plannedBytes(profile: EngineProfile): number | null
  /** What that is made of. */
  plannedParts(profile: EngineProfile): PlannedParts | null
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
  const plannedParts = (profile: EngineProfile): PlannedParts | null => {
    const { facts } = preflight
    const need = facts === null ? null : needOf(facts, asked(), profile)
    return facts === null || need === null ? null : partsInMemory(need, facts.budget)
  }
  return {
    plannedBytes: (profile) => {
      const parts = plannedParts(profile)
      return parts === null ? null : sumOf(parts)
    },
    plannedParts,
    refusal: (profile, reading) => {
      const { facts } = preflight
      const verdict = facts === null ? null : judge(facts, asked(), profile, reading)
      if (verdict?.kind !== 'short') return null
      const { message, hint, needBytes, haveBytes } = verdict
      return { message, hint, needBytes, haveBytes }
    },
  }
}
