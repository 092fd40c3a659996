/** Gets gpt-oss-20b where that is possible, or says why not. */
import { totalmem } from 'node:os'
import { join } from 'node:path'
import type { Config } from '../config/config.ts'
import { Oss20bdError } from '../errors.ts'
import { GPT_OSS_20B } from '../model/catalog.ts'
import { chooseModel } from '../model/choose-model.ts'
import { checkModelFile } from '../model/model-file.ts'
import type { Context } from './command.ts'
import type { Progress } from './progress.ts'
import { DEFAULT_CONNECTIONS, pullNamedModel } from './pull-model.ts'
import { pullText } from './render-pull.ts'
import { stoppable } from './stoppable.ts'

export type RealModel =
  | { readonly kind: 'got'; readonly file: string; readonly note: string }
  /** `reason` is a clause: "the memory budget is 8.0 GiB, ...". */
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
    budgetBytes: config.memory.budgetBytes ?? totalmem(),
    reserveBytes: config.memory.reserveBytes,
    existingReal: existing,
  })
  if (choice.kind === 'test-model' && !insist) return { kind: 'none', reason: choice.reason }
  if (existing) return { kind: 'got', file, note: GPT_OSS_20B.file }
  try {
    await pull(context, progress)
    return { kind: 'got', file, note: GPT_OSS_20B.file }
  } catch (error) {
    if (insist || !(error instanceof Oss20bdError)) throw error
    return { kind: 'none', reason: error.message }
  }
}

/** Interrupted, it goes on next time where it stopped. */
async function pull(context: Context, progress: Progress): Promise<void> {
  await stoppable(
    (signal) =>
      pullNamedModel(context, {
        source: { kind: 'catalog', model: GPT_OSS_20B },
        name: null,
        sha256: null,
        connections: DEFAULT_CONNECTIONS,
        signal,
        onProgress: (now) => progress.update(now.fraction, pullText(now)),
        onTrouble: (message) => progress.update(null, message),
      }),
    () => progress.fail('stopped; the same command goes on from here'),
  )
}
