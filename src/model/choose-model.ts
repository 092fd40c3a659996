/** Decides which model `oss20bd up` serves: the one on disk, a download, or the test model. Pure. */
import { formatBytes } from '../units.ts'

export interface ModelSituation {
  readonly totalMemoryBytes: number
  /** What other programs keep (`memory.reserveBytes`). */
  readonly reserveBytes: number
  /** `--test-model` was given. */
  readonly testModelAsked: boolean
  /** A whole gpt-oss-20b is already on disk. */
  readonly existingReal: boolean
  /** Whether this run has already tried to download it in vain. */
  readonly networkTried: 'no' | 'failed'
}

export interface ModelChoice {
  readonly kind: 'existing' | 'pull' | 'test-model'
  /** Why, as a clause for a person: "the download of gpt-oss-20b did not succeed". */
  readonly reason: string
}

/**
 * What gpt-oss-20b takes at 32k context: weights 11,536 MiB, KV cache 786 MiB, compute 420 MiB,
 * prompt cache 1,024 MiB; about 13.5 GiB.
 */
const GPT_OSS_20B_NEED_BYTES = (11_536 + 786 + 420 + 1024) * 2 ** 20

/** The test model serves when it was asked for, when memory is too small and when a download failed. */
export function chooseModel(situation: ModelSituation): ModelChoice {
  if (situation.testModelAsked) {
    return { kind: 'test-model', reason: 'the test model was asked for' }
  }
  const neededBytes = GPT_OSS_20B_NEED_BYTES + situation.reserveBytes
  if (situation.totalMemoryBytes < neededBytes) {
    const has = formatBytes(situation.totalMemoryBytes)
    const needs = formatBytes(neededBytes)
    return {
      kind: 'test-model',
      reason: `this machine has ${has} of memory, gpt-oss-20b and other apps need ${needs}`,
    }
  }
  if (situation.existingReal) {
    return { kind: 'existing', reason: 'gpt-oss-20b is already on this machine' }
  }
  if (situation.networkTried === 'failed') {
    return { kind: 'test-model', reason: 'the download of gpt-oss-20b did not succeed' }
  }
  return { kind: 'pull', reason: 'gpt-oss-20b is not on this machine yet' }
}
