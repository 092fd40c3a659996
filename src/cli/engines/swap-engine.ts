/** Puts another engine in use and sees it through: requests wait, and the earlier one comes back when it fails. */
import { realpath } from 'node:fs/promises'
import type { Status } from '../../daemon/control-protocol.ts'
import { currentEngine, type EngineTrial, putInUse, serverOf } from '../../engine-trial.ts'
import { Oss20bdError } from '../../errors.ts'
import { askForProof } from '../../llama/proof.ts'
import type { Context } from '../command.ts'
import { askDaemon, askIfRunning, watchDaemon } from '../control-client.ts'
import type { Progress } from '../progress.ts'
import { waitingText } from '../render.ts'
import { waitReady } from '../wait-ready.ts'

/** An engine that is busy for longer than this is not measured. */
const MEASURE_LIMIT_MS = 30_000

export type Swapped =
  /** It answers. */
  | { readonly kind: 'running'; readonly status: Status }
  /** It is used from the next start on. */
  | { readonly kind: 'chosen' }

/** Throws `engine-failed` when the earlier engine is in use again, with the reason. */
export async function swapEngine(
  context: Context,
  name: string,
  progress: Pick<Progress, 'update'>,
): Promise<Swapped> {
  const { engines, controlSocket, engineSocket } = context.paths
  const before = await askIfRunning(controlSocket)
  const isUp = before !== null && before.wanted === 'up'
  const isReady = isUp && before.engine.state === 'ready'
  if (isReady) progress.update(null, 'measuring the engine in use')
  const earlierTokensPerSecond = isReady ? await measure(engineSocket) : null
  const begunAt = new Date().toISOString()
  const trial = await putInUse(engines, name, { begunAt, earlierTokensPerSecond })
  if (!isUp) return { kind: 'chosen' }
  return { kind: 'running', status: await seeThrough(context, trial, progress) }
}

/** How fast it writes with the model that it has loaded; null when that cannot be told. */
async function measure(engineSocket: string): Promise<number | null> {
  const never = new AbortController().signal
  const result = await askForProof(engineSocket, MEASURE_LIMIT_MS, never)
  return result.kind === 'answered' ? result.proof.tokensPerSecond : null
}

/** Restarts the engine; whoever asks meanwhile waits. Resolves when the new one answers. */
export async function seeThrough(
  { paths }: Context,
  trial: EngineTrial | null,
  progress: Pick<Progress, 'update'>,
): Promise<Status> {
  const old = await askDaemon(paths.controlSocket, 'POST', '/restart')
  const notPid = old.engine.pid
  const watching = new AbortController()
  try {
    const status = await waitReady(watchDaemon(paths.controlSocket, watching.signal), {
      notPid,
      onStatus: (now) => progress.update(now.engine.loadProgress, waitingText(now)),
    })
    await assertKept(paths.engines, trial, status)
    return status
  } finally {
    watching.abort()
  }
}

async function assertKept(
  engines: string,
  trial: EngineTrial | null,
  status: Status,
): Promise<void> {
  const { trial: told, path } = status.engine
  if (trial === null || told?.outcome !== 'rolled-back' || told.begunAt !== trial.begunAt) return
  const file = serverOf(engines, trial.earlier)
  const isBack = path === (await realpath(file).catch(() => file))
  const now = isBack
    ? `${trial.earlier} is in use again, and answers`
    : `${trial.earlier} is in use`
  throw new Oss20bdError(
    'engine-failed',
    `Cannot keep the engine ${trial.engine}: ${told.why ?? 'it failed'}`,
    { hint: `Nothing: ${now}; what happened is in oss20bd events` },
  )
}

/** llama-server of the engine in use; null when there is none. */
export async function serverInUse(engines: string): Promise<string | null> {
  const name = await currentEngine(engines)
  return name === null ? null : serverOf(engines, name)
}
