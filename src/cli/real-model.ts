/** Gets gpt-oss-20b where that is possible, or says why not. */
import { totalmem } from 'node:os'
import { join } from 'node:path'
import type { Config } from '../config/config.ts'
import { Oss20bdError } from '../errors.ts'
import { DEFAULT_HF_ENDPOINT, GPT_OSS_20B, modelUrl } from '../model/catalog.ts'
import { chooseModel } from '../model/choose-model.ts'
import { checkModelFile } from '../model/model-file.ts'
import type { Context } from './command.ts'
import type { Progress } from './progress.ts'

export type RealModel =
  | { readonly kind: 'got'; readonly file: string; readonly note: string }
  /** `reason` is a clause: "this machine has 8 GiB of memory, ...". */
  | { readonly kind: 'none'; readonly reason: string }

/** With `insist` nothing but the real model will do: what hinders is thrown. */
export async function getRealModel(
  context: Context,
  config: Config,
  insist: boolean,
  progress: Progress,
): Promise<RealModel> {
  const file = join(context.paths.models, GPT_OSS_20B.file)
  const check = await checkModelFile(file)
  const existing = check.kind === 'ok' && !check.testModel
  const choice = chooseModel({
    totalMemoryBytes: totalmem(),
    reserveBytes: config.memory.reserveBytes,
    testModelAsked: false,
    existingReal: existing,
    networkTried: 'no',
  })
  if (existing && (insist || choice.kind === 'existing')) {
    return { kind: 'got', file, note: GPT_OSS_20B.file }
  }
  if (choice.kind === 'test-model' && !insist) return { kind: 'none', reason: choice.reason }
  try {
    await pull(context, file, progress)
    return { kind: 'got', file, note: GPT_OSS_20B.file }
  } catch (error) {
    if (insist || !(error instanceof Oss20bdError)) throw error
    return { kind: 'none', reason: error.message }
  }
}
