/** What llama-server will take of memory, from the header of a model and its command line alone. Pure. */
import { type ComputeBuffers, computeBuffers, type EngineAge } from './need/compute-buffers.ts'
import { cacheCells, cellBytes, layerCacheBytes } from './need/kv-cache.ts'
import type { LaunchSettings } from './need/launch-settings.ts'
import type { ModelShape } from './need/model-shape.ts'
import { type Backend, type Placement, placeWeights } from './need/placement.ts'

export interface EngineKind {
  readonly backend: Backend
  readonly age: EngineAge
}

export interface MemoryNeed {
  readonly gpu: GpuPart
  readonly host: HostPart
  /** Of the model file: in both parts, but once in memory. */
  readonly sharedBytes: number
  readonly gpuBytes: number
  readonly hostBytes: number
  /** Of a machine whose GPU has no memory of its own. */
  readonly totalBytes: number
  /** Arguments whose memory is not in it. */
  readonly uncounted: readonly string[]
}

interface GpuPart {
  readonly weightBytes: number
  readonly cacheBytes: number
  readonly computeBytes: number
}

interface HostPart extends GpuPart {
  /** The logits as they are handed out. */
  readonly outputBytes: number
  /** At most: conversations that lost their slot. */
  readonly promptCacheBytes: number
  /** At most: for each slot, what brings a layer with a window back to an earlier place. */
  readonly checkpointBytes: number
  /** The program, its vocabulary and its threads. */
  readonly processBytes: number
}

/** An idle engine with the vocabulary of gpt-oss was measured at 100 MiB; threads and requests add to it. */
const PROCESS_BYTES = 32 * 2 ** 20
const BYTES_PER_TOKEN_OF_VOCABULARY = 512

/** Null when the type of the cache is none that we know. */
export function memoryNeed(
  shape: ModelShape,
  settings: LaunchSettings,
  engine: EngineKind,
): MemoryNeed | null {
  const cell = cellBytes(shape, settings)
  if (cell === null) return null
  const placement = placeWeights(shape, settings, engine.backend)
  const cache = placeCache(shape, settings, placement, cell)
  const compute = computeBuffers(shape, settings, placement, engine)
  const gpu: GpuPart = {
    weightBytes: placement.gpuWeightBytes,
    cacheBytes: cache.gpuBytes,
    computeBytes: compute.gpuBytes,
  }
  const host = hostPart(shape, settings, placement, { cache, compute, cell })
  const gpuBytes = gpu.weightBytes + gpu.cacheBytes + gpu.computeBytes
  const hostBytes = Object.values(host).reduce((sum: number, bytes: number) => sum + bytes, 0)
  const sharedBytes = placement.sharedWeightBytes
  const totalBytes = gpuBytes + hostBytes - sharedBytes
  const { uncounted } = settings
  return { gpu, host, sharedBytes, gpuBytes, hostBytes, totalBytes, uncounted }
}

interface Sides {
  readonly gpuBytes: number
  readonly hostBytes: number
}

function placeCache(
  shape: ModelShape,
  settings: LaunchSettings,
  placement: Placement,
  cell: number,
): Sides {
  const cells = cacheCells(shape, settings)
  const sides = { gpuBytes: 0, hostBytes: 0 }
  for (const [layer, isWindowed] of shape.windowed.entries()) {
    const side = placement.onGpu[layer] === true && settings.cacheOnGpu ? 'gpuBytes' : 'hostBytes'
    sides[side] += layerCacheBytes(cells, cell, isWindowed)
  }
  return sides
}

function hostPart(
  shape: ModelShape,
  settings: LaunchSettings,
  placement: Placement,
  { cache, compute, cell }: { cache: Sides; compute: ComputeBuffers; cell: number },
): HostPart {
  const { slots, checkpoints } = settings
  const cells = cacheCells(shape, settings)
  const windows = shape.windowed.filter(Boolean).length
  const checkpoint = settings.fullWindow ? 0 : cells.windowed * windows * cell
  return {
    weightBytes: placement.hostWeightBytes,
    cacheBytes: cache.hostBytes,
    computeBytes: compute.hostBytes,
    outputBytes: slots * shape.vocabulary * 4,
    // Without a limit of its own it keeps as many tokens as the context has.
    promptCacheBytes: settings.promptCacheBytes ?? cache.gpuBytes + cache.hostBytes,
    checkpointBytes: slots * checkpoints * checkpoint,
    processBytes: PROCESS_BYTES + shape.vocabulary * BYTES_PER_TOKEN_OF_VOCABULARY,
  }
}
