/** Whether a run has room: in the budget, and on the machine as it is now. Pure. */
import type { EngineProfile } from '../engine.ts'
import { withProfile } from '../llama/engine-profile.ts'
import type { MemoryNeed } from '../llama/memory-need.ts'
import type { LlamaServerOptions } from '../llama/server-args.ts'
import { type Budget, type Fit, judgeFit } from '../memory/budget.ts'
import { formatBytes } from '../units.ts'
import { type MemorySettings, nearestFitting, needOf, type PlanFacts } from './memory-plan.ts'
import { wordsOf } from './setting-words.ts'

export type RoomVerdict =
  | { readonly kind: 'room'; readonly need: MemoryNeed }
  | {
      readonly kind: 'short'
      readonly needBytes: number
      readonly haveBytes: number
      /** The nearest first; none when nothing fits. */
      readonly nearest: readonly MemorySettings[]
      readonly message: string
      readonly hint: string
    }
  /** The model is none whose need is known: nothing is held against it. */
  | { readonly kind: 'unknown'; readonly reason: string }

/** What is known of the machine at this moment; null = not known. */
export interface MachineNow {
  /** What could be used without swapping. */
  readonly availableBytes: number | null
}

export function judge(
  facts: PlanFacts,
  options: LlamaServerOptions,
  profile: EngineProfile,
  now: MachineNow,
): RoomVerdict {
  // Also of a model whose need is not known; how to get a smaller one is all that helps.
  if (facts.overlarge !== null) return { kind: 'short', nearest: [], ...facts.overlarge }
  if (facts.model.kind === 'unknown') return facts.model
  const need = needOf(facts, options, profile)
  if (need === null) return { kind: 'unknown', reason: 'the type of its cache is not known' }
  const { gpu } = facts.budget
  const fit = judgeFit(need, facts.budget)
  if (fit.kind === 'short') {
    const shortage = shortageOf(need, fit, facts.budget)
    return short(shortage, nearestFitting(facts, options, profile))
  }
  const startBytes = atStart(need, gpu === null || gpu.sharesMemory)
  const { availableBytes } = now
  if (availableBytes === null || startBytes <= availableBytes) return { kind: 'room', need }
  return notNow(facts, withProfile(options, profile), startBytes, availableBytes)
}

interface Shortage {
  readonly needBytes: number
  readonly haveBytes: number
  readonly words: string
}

function shortageOf(
  need: MemoryNeed,
  { gpuShortBytes }: Extract<Fit, { kind: 'short' }>,
  { memory, gpu }: Budget,
): Shortage {
  const { limitBytes, reserveBytes, usableBytes } = gpu ?? {}
  if (gpuShortBytes > 0 && typeof limitBytes === 'number' && typeof usableBytes === 'number') {
    const why = `the limit of ${formatBytes(limitBytes)} less ${formatBytes(reserveBytes ?? 0)}`
    const words = `${formatBytes(need.gpuBytes)} on the GPU are needed, ${formatBytes(usableBytes)} may be used (${why})`
    return { needBytes: need.gpuBytes, haveBytes: usableBytes, words }
  }
  const needBytes = gpu === null || gpu.sharesMemory ? need.totalBytes : need.hostBytes
  const why = `${formatBytes(memory.totalBytes)} less ${formatBytes(memory.reserveBytes)} for other apps`
  const words = `${formatBytes(needBytes)} of memory are needed, ${formatBytes(memory.usableBytes)} may be used (${why})`
  return { needBytes, haveBytes: memory.usableBytes, words }
}

function short(shortage: Shortage, nearest: readonly MemorySettings[]): RoomVerdict {
  const { needBytes, haveBytes, words } = shortage
  const message = `Cannot load the model: ${words}`
  const found = nearest.map(wordsOf)
  const hint =
    found.length === 0
      ? 'No setting makes this model fit: give it a larger memory.budget, or use a smaller model. Run oss20bd plan to see the numbers'
      : `In the config, set ${found.join(', or ')}. Run oss20bd plan to see all that fits`
  return { kind: 'short', needBytes, haveBytes, nearest, message, hint }
}

/** It fits into the budget, yet other apps have the memory. */
function notNow(
  facts: PlanFacts,
  options: LlamaServerOptions,
  startBytes: number,
  availableBytes: number,
): RoomVerdict {
  const words = `${formatBytes(startBytes)} of memory are needed to start, ${formatBytes(availableBytes)} are free now`
  const { memory } = facts.budget
  const usableBytes = Math.min(memory.usableBytes, availableBytes)
  const budget = { ...facts.budget, memory: { ...memory, usableBytes } }
  const nearest = nearestFitting({ ...facts, budget }, options)
  const message = `Cannot load the model: ${words}`
  const smaller = nearest.map((setting) => `, or set ${wordsOf(setting)}`).join('')
  const hint = `Close other apps${smaller}: it starts by itself when there is room`
  const shortage = { needBytes: startBytes, haveBytes: availableBytes }
  return { kind: 'short', ...shortage, nearest, message, hint }
}

/** Without what fills up only later. */
function atStart(need: MemoryNeed, isShared: boolean): number {
  const later = need.host.promptCacheBytes + need.host.checkpointBytes
  return (isShared ? need.totalBytes : need.hostBytes) - later
}
