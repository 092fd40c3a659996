/** How many cells the KV cache has and what they take. Pure. */
import type { LaunchSettings } from './launch-settings.ts'
import type { ModelShape } from './model-shape.ts'

/** By name of the type: elements of a block and its bytes (ggml.c, type_traits). */
const CACHE_TYPES: ReadonlyMap<string, readonly [elements: number, bytes: number]> = new Map([
  ['f32', [1, 4]],
  ['f16', [1, 2]],
  ['bf16', [1, 2]],
  ['q8_0', [32, 34]],
  ['q4_0', [32, 18]],
  ['q4_1', [32, 20]],
  ['iq4_nl', [32, 18]],
  ['q5_0', [32, 22]],
  ['q5_1', [32, 24]],
])

export interface CacheCells {
  /** Tokens that one slot may hold, and caches side by side. */
  readonly perSlot: number
  readonly streams: number
  /** Of one cache, for a layer with a window. */
  readonly windowed: number
}

/** As llama-context.cpp and llama-kv-cache-iswa.cpp round them. */
export function cacheCells(shape: ModelShape, settings: LaunchSettings): CacheCells {
  const { slots, unified, fullWindow, microBatch } = settings
  const all = pad256(settings.contextTokens ?? shape.trainedTokens)
  const perSlot = unified ? all : pad256(Math.floor(all / slots))
  const window = shape.window * (unified ? slots : 1) + Math.min(microBatch, all)
  return {
    perSlot,
    streams: unified ? 1 : slots,
    windowed: fullWindow ? perSlot : Math.min(perSlot, pad256(window)),
  }
}

/** Of one token in one layer; null for a type that we do not know. */
export function cellBytes(shape: ModelShape, settings: LaunchSettings): number | null {
  const keys = CACHE_TYPES.get(settings.keyType)
  const values = CACHE_TYPES.get(settings.valueType)
  if (keys === undefined || values === undefined) return null
  const keyElements = shape.kvHeads * shape.keyWidth
  const valueElements = shape.kvHeads * shape.valueWidth
  return (keyElements / keys[0]) * keys[1] + (valueElements / values[0]) * values[1]
}

/** Of one layer, for all slots. */
export function layerCacheBytes(cells: CacheCells, cell: number, isWindowed: boolean): number {
  return (isWindowed ? cells.windowed : cells.perSlot) * cells.streams * cell
}

function pad256(tokens: number): number {
  return Math.ceil(tokens / 256) * 256
}
