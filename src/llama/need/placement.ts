/** Which weights lie on the GPU and which on the host. Pure. */
import type { LaunchSettings } from './launch-settings.ts'
import type { ModelShape, TensorFacts } from './model-shape.ts'

/** What the engine computes on. `metal` shares the memory of the host. */
export type Backend = 'cpu' | 'metal' | 'discrete'

export interface Placement {
  readonly gpuWeightBytes: number
  readonly hostWeightBytes: number
  /** The same pages, counted in both: Metal maps the file from the first to the last of its tensors. */
  readonly sharedWeightBytes: number
  /** By layer. */
  readonly onGpu: readonly boolean[]
  /** Some layer, or the experts of some layer, are computed on the host. */
  readonly layersOnHost: boolean
  readonly expertsOnHost: number
  readonly expertLayersOnGpu: boolean
  readonly outputOnGpu: boolean
}

export function placeWeights(
  shape: ModelShape,
  settings: LaunchSettings,
  backend: Backend,
): Placement {
  const count = backend === 'cpu' ? 0 : Math.min(settings.gpuLayers, shape.layers + 1)
  const first = shape.layers + 1 - count
  const onGpu = shape.windowed.map((_, layer) => layer >= first)
  const experts = Math.min(settings.hostExpertLayers, shape.layers)
  const isGpu = ({ name }: TensorFacts): boolean => {
    const layer = layerOf(name)
    if (layer !== null) return onGpu[layer] === true && !(layer < experts && isExpert(name))
    return count > 0 && name.startsWith('output')
  }
  const gpu = shape.tensors.filter(isGpu)
  const host = shape.tensors.filter((tensor) => !isGpu(tensor))
  const span = backend === 'metal' && settings.mapped ? spanOf(gpu) : null
  return {
    gpuWeightBytes: span === null ? sum(gpu) : span.end - span.start,
    hostWeightBytes: sum(host),
    sharedWeightBytes: span === null ? 0 : sum(host.filter((tensor) => isWithin(tensor, span))),
    onGpu,
    layersOnHost: first > 0,
    expertsOnHost: onGpu.filter((isOnGpu, layer) => isOnGpu && layer < experts).length,
    expertLayersOnGpu: onGpu.some((isOnGpu, layer) => isOnGpu && layer >= experts),
    outputOnGpu: count > 0,
  }
}

interface Span {
  readonly start: number
  readonly end: number
}

function spanOf(tensors: readonly TensorFacts[]): Span | null {
  if (tensors.length === 0) return null
  return {
    start: Math.min(...tensors.map(({ offsetBytes }) => offsetBytes)),
    end: Math.max(...tensors.map(({ offsetBytes, sizeBytes }) => offsetBytes + sizeBytes)),
  }
}

function isWithin({ offsetBytes, sizeBytes }: TensorFacts, span: Span): boolean {
  return offsetBytes >= span.start && offsetBytes + sizeBytes <= span.end
}

/** The layer that `blk.7.attn_q.weight` belongs to. */
function layerOf(name: string): number | null {
  const digits = /^blk\.(\d+)\./.exec(name)?.[1]
  return digits === undefined ? null : Number(digits)
}

/** Weights and biases alike: so `--n-cpu-moe` matches them. */
function isExpert(name: string): boolean {
  return /\.ffn_(?:up|down|gate|gate_up)_(?:ch)?exps/.test(name)
}

function sum(tensors: readonly TensorFacts[]): number {
  return tensors.reduce((total, { sizeBytes }) => total + sizeBytes, 0)
}
