/** Gets gpt-oss-20b where that is possible, or says why not. */
import { totalmem } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import { Oss20bdError } from '../errors.ts'
import { DEFAULT_HF_ENDPOINT, GPT_OSS_20B, modelUrl } from '../model/catalog.ts'
import { chooseModel } from '../model/choose-model.ts'
import { checkModelFile } from '../model/model-file.ts'
import type { PullProgress } from '../model/pull.ts'
import { pullModel } from '../model/pull.ts'
import { formatBytes, formatDuration } from '../units.ts'
import type { Context } from './command.ts'
import type { Progress } from './progress.ts'

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
    await pull(context, file, progress)
    return { kind: 'got', file, note: GPT_OSS_20B.file }
  } catch (error) {
    if (insist || !(error instanceof Oss20bdError)) throw error
    return { kind: 'none', reason: error.message }
  }
}

/** Interrupted, it goes on next time where it stopped: Ctrl-C needs no care. */
async function pull({ env }: Context, destination: string, progress: Progress): Promise<void> {
  const token = env['HF_TOKEN'] ?? ''
  const show = throttled((now) => progress.update(now.fraction, pullText(now)))
  await pullModel({
    url: modelUrl(GPT_OSS_20B, endpointOf(env)),
    token: token === '' ? null : token,
    destination,
    expected: GPT_OSS_20B.expected,
    onProgress: show,
    signal: new AbortController().signal,
    clock: systemClock,
    log: {
      info: () => undefined,
      warn: (message) => progress.update(null, message),
    },
  })
}

function endpointOf(env: NodeJS.ProcessEnv): string {
  const endpoint = env['HF_ENDPOINT'] ?? ''
  return endpoint === '' ? DEFAULT_HF_ENDPOINT : endpoint
}

/** Pieces arrive by the thousand a second; a person sees five. */
function throttled(show: (progress: PullProgress) => void): (progress: PullProgress) => void {
  let nextMs = 0
  return (progress) => {
    const nowMs = systemClock.monotonicMs()
    if (nowMs < nextMs) return
    nextMs = nowMs + 200
    show(progress)
  }
}

/** `downloading 1.2 GiB of 11.3 GiB, 24.0 MiB/s, 7 min 12 s left`. Pure. */
export function pullText({ phase, bytes, totalBytes, bytesPerSecond }: PullProgress): string {
  const amount = `${phase} ${formatBytes(bytes)} of ${formatBytes(totalBytes)}`
  if (bytesPerSecond <= 0) return amount
  const leftMs = ((totalBytes - bytes) / bytesPerSecond) * 1000
  return `${amount}, ${formatBytes(bytesPerSecond)}/s, ${formatDuration(leftMs)} left`
}
