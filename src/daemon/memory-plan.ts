/** Which set-ups of the engine fit into the memory it may use, and which one is taken. Pure. */
import type { EngineProfile } from '../engine.ts'
import { plannedContextTokens, withProfile } from '../llama/engine-profile.ts'
import { type EngineKind, type MemoryNeed, memoryNeed } from '../llama/memory-need.ts'
import { readLaunchSettings } from '../llama/need/launch-settings.ts'
import type { ShapeResult } from '../llama/need/model-shape.ts'
import { type LlamaServerOptions, serverArgs } from '../llama/server-args.ts'
import { type Budget, type Fit, judgeFit } from '../memory/budget.ts'
import type { TooLarge } from '../model/too-large.ts'

/** What every question about memory is answered from; `plan-facts.ts` reads them. */
export interface PlanFacts {
  readonly model: ShapeResult
  /** The weights alone are too much; null when they are not. */
  readonly overlarge: Overlarge | null
  readonly engine: EngineKind
  readonly budget: Budget
}

export interface Overlarge extends TooLarge {
  readonly needBytes: number
  readonly haveBytes: number
}

/** What a person may change to make it fit. */
export interface MemorySettings {
  /** Of one conversation. */
  readonly contextTokens: number
  readonly cacheType: LlamaServerOptions['cacheType']
  readonly promptCacheBytes: number
}

export interface PlanRow extends MemorySettings {
  readonly need: MemoryNeed
  readonly fit: Fit
  readonly chosen: boolean
}

export type MemoryPlan =
  | {
      readonly kind: 'planned'
      readonly rows: readonly PlanRow[]
      readonly chosen: PlanRow
      /** Null when the chosen one fits; else what would, the nearest first. */
      readonly nearest: readonly MemorySettings[] | null
      /** `engine.extraArgs` set the context or the type of the cache, so that the config does not. */
      readonly overridden: boolean
    }
  | { readonly kind: 'unknown'; readonly reason: string }

export type PlanOptions = Omit<LlamaServerOptions, 'contextTokens'> & {
  readonly contextTokens: number | 'auto'
}

/** What `auto` chooses from. A longer one must be asked for by number: it makes every answer slow. */
const AUTO_CONTEXTS = [65_536, 32_768, 16_384, 8192] as const
const LONGEST_CONTEXT = 131_072
/** They answer too little to be chosen unasked, but beat a refusal. */
const SHORT_CONTEXTS = [4096, 2048] as const
/** Of a model whose need is not known. */
export const CAUTIOUS_CONTEXT = 8192
const MIB = 2 ** 20
const AS_ASKED: EngineProfile = { safeMode: false, contextHalvings: 0 }

/** The context of one conversation that a run is to have. */
export function contextFor(facts: PlanFacts, options: PlanOptions): number {
  const { contextTokens } = options
  if (contextTokens !== 'auto') return contextTokens
  if (facts.model.kind === 'unknown') return CAUTIOUS_CONTEXT
  const { trainedTokens } = facts.model.shape
  const possible = AUTO_CONTEXTS.filter((tokens) => tokens <= trainedTokens)
  const fitting = possible.find((tokens) => fits(facts, { ...options, contextTokens: tokens }))
  return fitting ?? possible.at(-1) ?? trainedTokens
}

/** The table: each context with each type of cache, and the one that the engine is to have. */
export function planFor(facts: PlanFacts, options: PlanOptions): MemoryPlan {
  if (facts.model.kind === 'unknown') return facts.model
  const chosen = { ...options, contextTokens: contextFor(facts, options) }
  const contexts = [...AUTO_CONTEXTS, LONGEST_CONTEXT, chosen.contextTokens]
  const sorted = [...new Set(contexts)].toSorted((one, other) => one - other)
  const rows = sorted.flatMap((contextTokens) =>
    (['f16', 'q8_0'] as const).flatMap((cacheType) => {
      const row = rowOf(facts, { ...options, contextTokens, cacheType })
      const isChosen = contextTokens === chosen.contextTokens && cacheType === options.cacheType
      return row === null ? [] : [{ ...row, chosen: isChosen }]
    }),
  )
  const row = rows.find((each) => each.chosen)
  if (row === undefined) {
    return { kind: 'unknown', reason: 'engine.extraArgs ask for a type of cache that is not known' }
  }
  return {
    kind: 'planned',
    rows,
    chosen: row,
    nearest: row.fit.kind === 'fits' ? null : nearestFitting(facts, chosen),
    overridden: isOverridden(chosen),
  }
}

/** What a run set up like this will take; null when the model is none that we know. */
export function needOf(
  facts: PlanFacts,
  options: LlamaServerOptions,
  profile: EngineProfile = AS_ASKED,
): MemoryNeed | null {
  if (facts.model.kind === 'unknown') return null
  const settings = readLaunchSettings(serverArgs(withProfile(options, profile)))
  return memoryNeed(facts.model.shape, settings, facts.engine)
}

/** What would fit in place of these options, the nearest first; none when nothing does. */
export function nearestFitting(
  facts: PlanFacts,
  options: LlamaServerOptions,
  profile: EngineProfile = AS_ASKED,
): readonly MemorySettings[] {
  const wanted = plannedContextTokens(options, profile) ?? LONGEST_CONTEXT
  const longest = (change: Partial<LlamaServerOptions>): readonly LlamaServerOptions[] => {
    const found = [...AUTO_CONTEXTS, ...SHORT_CONTEXTS, wanted]
      .filter((contextTokens) => contextTokens <= wanted)
      .toSorted((one, other) => other - one)
      .map((contextTokens) => ({ ...options, ...change, contextTokens }))
      .find((each) => fits(facts, each))
    return found === undefined ? [] : [found]
  }
  const shorter = longest({})
  const smaller = options.cacheType === 'q8_0' ? [] : longest({ cacheType: 'q8_0' })
  const gained = smaller.filter(
    ({ contextTokens }) => contextTokens > (shorter[0]?.contextTokens ?? 0),
  )
  const found = [...shorter, ...gained]
  const last = found.length > 0 ? found : longest({ cacheType: 'q8_0', cacheRamMiB: 0 })
  return last.map(settingsOf)
}

function fits(facts: PlanFacts, options: LlamaServerOptions): boolean {
  const need = needOf(facts, options)
  return need !== null && judgeFit(need, facts.budget).kind === 'fits'
}

function rowOf(facts: PlanFacts, options: LlamaServerOptions): Omit<PlanRow, 'chosen'> | null {
  const need = needOf(facts, options)
  if (need === null) return null
  return { ...settingsOf(options), need, fit: judgeFit(need, facts.budget) }
}

function settingsOf({ contextTokens, cacheType, cacheRamMiB }: LlamaServerOptions): MemorySettings {
  return { contextTokens, cacheType, promptCacheBytes: cacheRamMiB * MIB }
}

function isOverridden(options: LlamaServerOptions): boolean {
  const { contextTokens, slots, cacheType } = options
  const read = readLaunchSettings(serverArgs(options))
  const isCacheKept = read.keyType === cacheType && read.valueType === cacheType
  return read.contextTokens !== contextTokens * slots || !isCacheKept
}
