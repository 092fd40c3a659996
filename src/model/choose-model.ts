/** Decides which model `oss20bd up` serves: the one on disk, a download, or the test model. Pure. */
import { formatBytes } from '../units.ts'

export interface ModelSituation {
  /** What the model and all other programs share (`memory.budget`, else the physical memory). */
  readonly budgetBytes: number
  /** What other programs keep (`memory.reserve`). */
  readonly reserveBytes: number
  /** A whole gpt-oss-20b is already on disk. */
  readonly existingReal: boolean
}

export type ModelChoice =
  | { readonly kind: 'existing' | 'pull' }
  /** `reason` is a clause for a person. */
  | { readonly kind: 'test-model'; readonly reason: string }

/**
 * What gpt-oss-20b takes at 32k context: weights 11,536 MiB, KV cache 786 MiB, compute 420 MiB,
 * prompt cache 1,024 MiB; about 13.5 GiB.
 */
const GPT_OSS_20B_NEED_BYTES = (11_536 + 786 + 420 + 1024) * 2 ** 20

/** The test model serves where memory is too small, even when the real one is there. */
export function chooseModel({
  budgetBytes,
  reserveBytes,
  existingReal,
}: ModelSituation): ModelChoice {
  const neededBytes = GPT_OSS_20B_NEED_BYTES + reserveBytes
  if (budgetBytes < neededBytes) {
    const has = formatBytes(budgetBytes)
    const needs = formatBytes(neededBytes)
    return {
      kind: 'test-model',
      reason: `the memory budget is ${has}, gpt-oss-20b and other apps need ${needs}`,
    }
  }
  return { kind: existingReal ? 'existing' : 'pull' }
}
