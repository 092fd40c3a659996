/** Decides what steps turn a Hugging Face folder into the wanted GGUF, and what they take. Pure. */
import { Oss20bdError } from '../../errors.ts'
import {
  convertedBytes,
  convertMemoryBytes,
  isDirectType,
  quantizedBytesAtMost,
  quantizeMemoryBytes,
} from '../../model/convert/sizes.ts'
import type { HfFolder } from '../../model/convert/hf-folder.ts'
import type { Need } from './room.ts'

export interface ConvertPlan {
  /** The name of what comes out of it. */
  readonly type: string
  /** What the converter is asked for, in its words. */
  readonly outtype: string
  /** What llama-quantize makes of that; null when it is the end. */
  readonly quantizeTo: string | null
  /** What a person should know of it; null when all is as asked. */
  readonly remark: string | null
}

/** Whatever 16 bits the weights have. */
export const SIXTEEN_BIT = 'AUTO'

/** `type` is one of llama-quantize's, or SIXTEEN_BIT. Throws `usage` for what would make gpt-oss worse. */
export function planConversion(
  folder: Pick<HfFolder, 'path' | 'isMxfp4'>,
  type: string,
): ConvertPlan {
  if (folder.isMxfp4) return planGptOss(folder.path, type)
  if (type === SIXTEEN_BIT) return { type, outtype: 'auto', quantizeTo: null, remark: null }
  return isDirectType(type)
    ? { type, outtype: type.toLowerCase(), quantizeTo: null, remark: null }
    : { type, outtype: 'auto', quantizeTo: type, remark: null }
}

/** Nine tenths of gpt-oss are experts with 4 bits; the rest gets 8, as in the GGUF that is published. */
function planGptOss(path: string, type: string): ConvertPlan {
  if (type === SIXTEEN_BIT || (isDirectType(type) && type !== 'Q8_0')) {
    const remark =
      'The experts of gpt-oss stay in their 4 bits (MXFP4); the type is that of the rest'
    const outtype = type === SIXTEEN_BIT ? 'auto' : type.toLowerCase()
    return { type, outtype, quantizeTo: null, remark }
  }
  if (type === 'Q8_0' || type === 'Q4_K_M' || type === 'MXFP4_MOE') {
    return {
      type: 'MXFP4_MOE',
      outtype: 'q8_0',
      quantizeTo: null,
      remark:
        'The experts of gpt-oss have 4 bits since they were trained (MXFP4) and stay as they are; the rest gets 8 bits: q4 and q8 give the same file',
    }
  }
  throw new Oss20bdError(
    'usage',
    `Cannot convert ${path} to ${type}: the experts of gpt-oss have 4 bits since they were trained, and rounding them once more makes the answers worse and hardly anything smaller`,
    { hint: 'Leave --type out' },
  )
}

/** At the highest: the 16-bit form is there beside the quantized one until that is whole. */
export function convertNeed({ tensors }: Pick<HfFolder, 'tensors'>, plan: ConvertPlan): Need {
  const directBytes = convertedBytes(tensors, plan.outtype.toUpperCase())
  const memoryBytes = convertMemoryBytes(tensors)
  if (plan.quantizeTo === null) return { diskBytes: directBytes, memoryBytes }
  return {
    diskBytes: directBytes + quantizedBytesAtMost(directBytes, plan.quantizeTo),
    memoryBytes: Math.max(memoryBytes, quantizeMemoryBytes(tensors, true)),
  }
}
