/**
 * The speed that no engine can exceed on this machine. Pure.
 *
 * To generate one token the chip reads every weight that takes part, and the conversation so far, from memory
 * once; it cannot be faster than its memory delivers them (the roofline model of Williams, Waterman and
 * Patterson, Communications of the ACM 52/4, 2009). Which weights take part is how llama.cpp computes gpt-oss
 * (src/models/openai-moe.cpp): all but the experts that were not chosen, and of the token table one row.
 * Reading a prompt is bound by arithmetic instead, for which there is no such simple limit.
 */
import type { ModelShape } from '../../llama/need/model-shape.ts'

/** What is read for one token. */
export interface BytesPerToken {
  /** The experts that are chosen. */
  readonly expertBytes: number
  /** Attention, norms, routers and the output. */
  readonly sharedBytes: number
  /** Keys and values of the conversation so far; layers with a window look no further back than it. */
  readonly cacheBytes: number
  readonly totalBytes: number
}

export const ROOFLINE_FORMULA =
  'memory bandwidth / bytes read per token, which are experts x used / all + attention, norms and output + KV cache'

/** `cellBytes` are keys and values of one token in one layer: 2048 for gpt-oss with f16. */
export function bytesPerToken(
  shape: Pick<ModelShape, 'tensors' | 'windowed' | 'window' | 'expertsUsed' | 'vocabulary'>,
  experts: number,
  cellBytes: number,
  depthTokens: number,
): BytesPerToken {
  let allExpertBytes = 0
  let sharedBytes = 0
  for (const { name, sizeBytes } of shape.tensors) {
    if (name.includes('_exps.')) allExpertBytes += sizeBytes
    else if (name === 'token_embd.weight') sharedBytes += sizeBytes / shape.vocabulary
    else sharedBytes += sizeBytes
  }
  const expertBytes = (allExpertBytes * shape.expertsUsed) / experts
  const cells = shape.windowed.map((isWindowed) =>
    isWindowed ? Math.min(depthTokens, shape.window) : depthTokens,
  )
  const cacheBytes = cells.reduce((sum, count) => sum + count * cellBytes, 0)
  return {
    expertBytes,
    sharedBytes,
    cacheBytes,
    totalBytes: expertBytes + sharedBytes + cacheBytes,
  }
}

/** Tokens per second. */
export function roofline(bytesPerSecond: number, { totalBytes }: BytesPerToken): number {
  return bytesPerSecond / totalBytes
}
