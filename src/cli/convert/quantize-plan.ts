/** Decides whether and how a GGUF is quantized, from its header and a dry run. Pure. */
import { Oss20bdError } from '../../errors.ts'
import { quantizeMemoryBytes } from '../../model/convert/sizes.ts'
import { tensorTypeName } from '../../model/tensor-types.ts'
import type { GgufSource } from './gguf-source.ts'
import type { DryRun, QuantizeTool } from './quantize-tool.ts'
import type { Need } from './room.ts'

const MXFP4 = 39

/** gpt-oss as it was published and as it is converted: its experts have 4 bits since they were trained. */
function isMxfp4GptOss({
  architecture,
  tensors,
}: Pick<GgufSource, 'architecture' | 'tensors'>): boolean {
  return architecture === 'gpt-oss' && tensors.some(({ type }) => type === MXFP4)
}

/**
 * For such a gpt-oss every wish from 4 to 8 bits means the same: the experts stay as they are, the rest,
 * when it has 16 bits still, gets 8. Any type that would touch the experts makes them larger or worse.
 */
export function typeFor(source: GgufSource, type: string, requantize: boolean): string {
  const isUsual = type === 'Q4_K_M' || type === 'Q8_0'
  return isMxfp4GptOss(source) && isUsual && !requantize ? 'MXFP4_MOE' : type
}

/** Throws `model-unusable` for what would give no good model. */
export function judgeQuantize(
  source: GgufSource,
  type: string,
  found: DryRun,
  requantize: boolean,
): void {
  if (found.needsImportance) {
    throw new Oss20bdError(
      'usage',
      `Cannot quantize to ${type}: so few bits need a list of which weights matter (an importance matrix), without it the model talks nonsense`,
      { hint: 'Take q3, q4 or IQ4_XS, which need none' },
    )
  }
  if (isMxfp4GptOss(source) && !requantize) {
    const untouched = source.tensors.every(({ type: is }) => !isSixteen(is))
    if (found.requantized.length > 0 || untouched) throw gptOssError(source, type, found)
  }
  if (found.requantized.length === 0 || requantize) return
  const are = found.requantized.map((name) => name.toUpperCase()).join(' and ')
  throw new Oss20bdError(
    'model-unusable',
    `Cannot quantize ${source.file} to ${type}: it is quantized already (${are}), and rounding it once more loses more than its size tells`,
    { hint: 'Start from its 16-bit form, or do it all the same with --requantize' },
  )
}

function gptOssError(source: GgufSource, type: string, found: DryRun): Oss20bdError {
  const { tensorBytes, requantized } = found
  const now = source.tensors.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  const percent = tensorBytes === null ? null : Math.round((tensorBytes / now) * 100)
  const isTold = percent !== null && requantized.length > 0
  const size = isTold ? `: ${type} would make it ${percent} % of its size` : ''
  return new Oss20bdError(
    'model-unusable',
    `Cannot quantize ${source.file} further: the experts of gpt-oss have 4 bits since they were trained (MXFP4), and rounding them once more makes the answers worse and hardly anything smaller${size}`,
    { hint: 'Use it as it is; to do it all the same: --requantize' },
  )
}

function isSixteen(type: number): boolean {
  return ['F16', 'BF16'].includes(tensorTypeName(type))
}

export function quantizeNeed(source: GgufSource, found: DryRun, tool: QuantizeTool): Need {
  const now = source.tensors.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  const header = source.sizeBytes - now
  const tensors = source.tensors.map(({ shape, sizeBytes }) => ({ shape, bytes: sizeBytes }))
  return {
    diskBytes: (found.tensorBytes ?? now) + header,
    memoryBytes: quantizeMemoryBytes(tensors, tool.bounded),
  }
}
