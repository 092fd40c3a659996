/** What a llama-server command line says about memory, the user's own arguments included. Pure. */

/** Token counts, unless the name says otherwise. */
export interface LaunchSettings {
  /** Of all slots together; null = as long as the model was trained for. */
  readonly contextTokens: number | null
  readonly slots: number
  /** One cache for all slots in place of one for each. */
  readonly unified: boolean
  /** The layers with a window keep the whole context as well. */
  readonly fullWindow: boolean
  readonly batch: number
  readonly microBatch: number
  readonly flashAttention: boolean
  readonly keyType: string
  readonly valueType: string
  /** Layers on the GPU, the output counted as one; Infinity = all. */
  readonly gpuLayers: number
  /** The experts of so many layers, from the first, stay on the host. */
  readonly hostExpertLayers: number
  readonly cacheOnGpu: boolean
  /** False for `--load-mode none` or `dio`: the file is read into memory of its own. */
  readonly mapped: boolean
  /** Null = no limit. */
  readonly promptCacheBytes: number | null
  readonly checkpoints: number
  /** Arguments that take memory which is not counted here. */
  readonly uncounted: readonly string[]
}

const MIB = 2 ** 20

/** Of llama-server itself, for what its command line leaves out. */
const SERVER_DEFAULTS = {
  slots: 4,
  batch: 2048,
  microBatch: 512,
  cacheType: 'f16',
  promptCacheMiB: 8192,
  checkpoints: 32,
}

/** They hold tensors elsewhere, or bring a second model. */
const UNCOUNTED: readonly (readonly string[])[] = [
  ['-ot', '--override-tensor'],
  ['-ts', '--tensor-split'],
  ['-md', '--model-draft', '--spec-draft-model'],
  ['-mm', '--mmproj'],
  ['--lora'],
]

/** `args` is the whole command line; the last of repeated arguments counts, as for the engine. */
export function readLaunchSettings(args: readonly string[]): LaunchSettings {
  const given = new GivenArgs(args)
  const slots = given.number(['-np', '--parallel'], -1)
  const context = given.number(['-c', '--ctx-size'], 0)
  const promptCacheMiB = given.number(['-cram', '--cache-ram'], SERVER_DEFAULTS.promptCacheMiB)
  const batch = given.number(['-b', '--batch-size'], SERVER_DEFAULTS.batch)
  const microBatch = given.number(['-ub', '--ubatch-size'], SERVER_DEFAULTS.microBatch)
  const isAuto = slots < 1
  return {
    contextTokens: context > 0 ? context : null,
    slots: isAuto ? SERVER_DEFAULTS.slots : slots,
    unified: given.last(['-kvu', '--kv-unified'], ['-no-kvu', '--no-kv-unified'], isAuto),
    fullWindow: given.last(['--swa-full'], [], false),
    batch,
    microBatch: Math.min(microBatch > 0 ? microBatch : batch, batch),
    flashAttention: !['off', '0', 'false', 'disabled'].includes(
      given.text(['-fa', '--flash-attn'], 'auto'),
    ),
    keyType: given.text(['-ctk', '--cache-type-k'], SERVER_DEFAULTS.cacheType),
    valueType: given.text(['-ctv', '--cache-type-v'], SERVER_DEFAULTS.cacheType),
    gpuLayers: gpuLayersOf(given),
    hostExpertLayers: hostExpertsOf(given),
    cacheOnGpu: given.last(['-kvo', '--kv-offload'], ['-nkvo', '--no-kv-offload'], true),
    mapped: !['none', 'dio'].includes(given.text(['-lm', '--load-mode'], 'auto')),
    promptCacheBytes: promptCacheMiB < 0 ? null : promptCacheMiB * MIB,
    checkpoints: Math.max(
      0,
      given.number(
        ['-ctxcp', '--ctx-checkpoints', '--swa-checkpoints'],
        SERVER_DEFAULTS.checkpoints,
      ),
    ),
    uncounted: UNCOUNTED.flatMap((names) => given.found(names) ?? []),
  }
}

/** `auto` and `all` are no numbers: as many as there are. */
function gpuLayersOf(given: GivenArgs): number {
  if (given.text(['-dev', '--device'], '') === 'none') return 0
  const layers = given.number(['-ngl', '--gpu-layers', '--n-gpu-layers'], -1)
  return layers < 0 ? Infinity : layers
}

function hostExpertsOf(given: GivenArgs): number {
  if (given.last(['-cmoe', '--cpu-moe'], [], false)) return Infinity
  return Math.max(0, given.number(['-ncmoe', '--n-cpu-moe'], 0))
}

/** Looks arguments up by any of their names. */
class GivenArgs {
  readonly #args: readonly string[]

  constructor(args: readonly string[]) {
    // The engine takes `_` for `-` in long names.
    this.#args = args.map((arg) => (arg.startsWith('--') ? arg.replaceAll('_', '-') : arg))
  }

  /** `otherwise` also for a value that is no number: the engine has words for some. */
  number(names: readonly string[], otherwise: number): number {
    const value = Number(this.text(names, ''))
    return this.found(names) !== null && Number.isSafeInteger(value) ? value : otherwise
  }

  text(names: readonly string[], otherwise: string): string {
    return this.#args[this.#lastIndex(names) + 1] === undefined || this.found(names) === null
      ? otherwise
      : (this.#args[this.#lastIndex(names) + 1] ?? otherwise)
  }

  /** Which of a switch and its opposite came last. */
  last(on: readonly string[], off: readonly string[], otherwise: boolean): boolean {
    const [onAt, offAt] = [this.#lastIndex(on), this.#lastIndex(off)]
    return onAt === offAt ? otherwise : onAt > offAt
  }

  /** The name that was used; null when none was. */
  found(names: readonly string[]): string | null {
    return this.#args[this.#lastIndex(names)] ?? null
  }

  #lastIndex(names: readonly string[]): number {
    return this.#args.findLastIndex((arg) => names.includes(arg))
  }
}
