/**
 * How large the buffers are in which llama-server computes. Pure.
 *
 * The engine lays the tensors of one step of work into one buffer and reuses what is no longer needed, so
 * its size is that of the greatest moment. Which moment that is, and what lives then, was found by
 * comparing with the engine (test/engine/memory-need.test.ts repeats it) and, for Metal, with its source and the
 * logs of Macs.
 */
import { type CacheCells, cacheCells } from './kv-cache.ts'
import type { LaunchSettings } from './launch-settings.ts'
import type { ModelShape } from './model-shape.ts'
import type { Backend, Placement } from './placement.ts'

/**
 * `older`: llama.cpp up to the beginning of 2026. It computes masks in 32 bit and then narrows them, and reserves
 * logits for every token of a step where now there is one row for each slot.
 */
export type EngineAge = 'current' | 'older'

/** Older builds call themselves by a bare number; an engine of unknown version is taken for a current one. */
export function engineAgeOf(version: string | null): EngineAge {
  return version !== null && /^b?\d+$/.test(version) ? 'older' : 'current'
}

export interface ComputeBuffers {
  readonly gpuBytes: number
  readonly hostBytes: number
}

export function computeBuffers(
  shape: ModelShape,
  settings: LaunchSettings,
  placement: Placement,
  engine: { readonly backend: Backend; readonly age: EngineAge },
): ComputeBuffers {
  const step = stepOf(shape, settings, engine.age)
  if (!placement.outputOnGpu) return { gpuBytes: 0, hostBytes: allOnHost(step) }
  return {
    gpuBytes: Math.max(
      attentionOnGpu(step, engine),
      expertsOnGpu(step, placement),
      step.logits + (engine.age === 'older' ? 1 : 2) * step.stream,
    ),
    hostBytes: besideGpu(step, placement),
  }
}

/** The tensors of one step of work; bytes, unless the name says otherwise. */
interface Step {
  readonly cells: CacheCells
  readonly tokens: number
  readonly flashAttention: boolean
  readonly shape: ModelShape
  /** The residual stream, and whatever has its width. */
  readonly stream: number
  readonly queries: number
  readonly values: number
  /** What the chosen experts make inside, and what comes out of them. */
  readonly expertInner: number
  readonly expertOuter: number
  /** As the attention reads them, and as they are put in. */
  readonly masks: number
  readonly inputMasks: number
  /** The attention of all heads to all cells, which flash attention never holds. */
  readonly scores: number
  readonly logits: number
  /** A cache that lies on the host comes to the GPU layer by layer. */
  readonly visitingCache: number
}

const F32 = 4
const F16 = 2
const INDEX = 8

function stepOf(shape: ModelShape, settings: LaunchSettings, age: EngineAge): Step {
  const { slots, flashAttention } = settings
  const cells = cacheCells(shape, settings)
  const room = settings.contextTokens ?? shape.trainedTokens
  // The engine tries it with the same number of tokens for each slot.
  const tokens = Math.ceil(Math.min(room, settings.microBatch) / slots) * slots
  const columns = cells.perSlot + cells.windowed
  const outputs = age === 'older' ? tokens : slots
  const isNarrowed = flashAttention && age === 'older'
  const inputElement = flashAttention && age === 'current' ? F16 : F32
  return {
    cells,
    tokens,
    flashAttention,
    shape,
    stream: shape.width * tokens * F32,
    queries: shape.heads * shape.keyWidth * tokens * F32,
    values: shape.kvHeads * shape.valueWidth * tokens * F32,
    expertInner: shape.expertWidth * shape.expertsUsed * tokens * F32,
    expertOuter: shape.width * shape.expertsUsed * tokens * F32,
    masks: columns * tokens * (isNarrowed ? F32 + F16 : inputElement),
    inputMasks: columns * tokens * inputElement,
    scores: flashAttention ? 0 : cells.perSlot * tokens * shape.heads * F32,
    logits: outputs * shape.vocabulary * F32,
    visitingCache: settings.cacheOnGpu ? 0 : columns * cells.streams * cellOf(shape),
  }
}

/** Of one layer in 16 bit. */
function cellOf(shape: ModelShape): number {
  return shape.kvHeads * (shape.keyWidth + shape.valueWidth) * F16
}

function allOnHost(step: Step): number {
  const { masks, stream, queries, values, expertInner, scores, logits } = step
  return Math.max(
    masks + 3 * expertInner + queries + 3 * stream,
    masks + scores + 2 * queries + 4 * values + 3 * stream,
    logits + 3 * stream,
  )
}

function expertsOnGpu(step: Step, placement: Placement): number {
  const { inputMasks, stream, queries, expertInner, expertOuter } = step
  const inner = placement.expertLayersOnGpu ? 3 * expertInner : 0
  // What the host computed comes in as a whole.
  const outer = placement.expertsOnHost > 0 ? expertOuter : 0
  const handed = placement.layersOnHost ? queries : 0
  // Where masks are narrowed first, the wide ones are there until then and the narrow ones after.
  return inputMasks + inner + outer + handed + queries + 2 * stream
}

function attentionOnGpu(
  step: Step,
  { backend, age }: { readonly backend: Backend; readonly age: EngineAge },
): number {
  const { masks, stream, queries, values, scores } = step
  if (!step.flashAttention) return masks + scores + 2 * queries + 4 * values + 2 * stream
  if (backend !== 'metal') return masks + 2 * queries + 2 * stream + step.visitingCache
  return age === 'older'
    ? masks + 2 * queries + 3 * stream + paddingOnMetal(step)
    : masks + 2 * queries + 2 * stream + paddingOnMetal(step) + scratchOnMetal(step)
}

/** The last columns of the cache made whole, and a map of the blocks that the mask leaves out. */
function paddingOnMetal({ shape, cells, tokens }: Step): number {
  const columns = 64
  const queries = 8
  // Each head is given room for the row of all heads.
  const cell = cellOf(shape) * shape.kvHeads * cells.streams
  const blocks = Math.ceil(tokens / queries) * Math.ceil(cells.perSlot / columns)
  return columns * (cell + tokens * F16) + blocks
}

/**
 * What the pinned engine sets aside with each attention: partial results, and the cache of one layer in
 * 16 bit, even when it is kept so already (ggml-metal-ops.cpp, flash_attn_ext_extra_*).
 */
function scratchOnMetal({ shape, cells, tokens }: Step): number {
  const groups = 32
  const rows = Math.min(Math.floor(tokens / cells.streams), 32) * cells.streams
  const partial = rows * shape.heads * groups * (shape.valueWidth + 2) * F32
  return partial + cells.perSlot * cells.streams * cellOf(shape)
}

/** The host still reads the tokens in, and computes what the GPU does not hold. */
function besideGpu(step: Step, placement: Placement): number {
  if (placement.layersOnHost) return allOnHost(step)
  const { inputMasks, stream, expertInner, flashAttention, shape, tokens } = step
  const experts = placement.expertsOnHost > 0 ? 3 * expertInner : 0
  // Without flash attention values are stored one by one, and each needs its place.
  const places = flashAttention ? 0 : 2 * shape.kvHeads * shape.valueWidth * tokens * INDEX
  return inputMasks + 2 * stream + experts + places
}
