/** Looks at an engine before it may be used: what it is, what it can do, and that it answers with the test model. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../clock.ts'
import { Oss20bdError } from '../../errors.ts'
import { type DeviceList, listDevices } from '../../llama/devices.ts'
import { assertExecutable, readEngineVersion } from '../../llama/engine-info.ts'
import { createLlamaEngine } from '../../llama/llama-engine.ts'
import { missingFlags, readHelp, tooOld } from '../../llama/probe-flags.ts'
import { askForProof } from '../../llama/proof.ts'
import { writeTestModel } from '../../model/test-model.ts'
import { endChild, spawnEngine } from '../../supervisor/child.ts'
import { untilHealthy } from '../../supervisor/health.ts'
import type { Progress } from '../progress.ts'

export interface CheckedEngine {
  readonly version: string
  readonly devices: readonly string[]
}

/** A small model on the slowest machine; a GPU's code is compiled at the first start. */
const LOAD_LIMIT_MS = 120_000
const ANSWER_LIMIT_MS = 60_000
const GRACES = { exitGraceMs: 5000, termGraceMs: 2000 }

/**
 * `earlier` is llama-server of the engine in use, null when there is none. Throws `engine-missing` for what is no
 * llama-server, `engine-failed` for one that fails, each with the check that it failed.
 */
export async function checkEngine(
  file: string,
  earlier: string | null,
  progress: Pick<Progress, 'update'>,
): Promise<CheckedEngine> {
  await assertExecutable(file)
  progress.update(null, 'asking it for its version, its flags and its devices')
  const [version, help, devices, before] = await Promise.all([
    readEngineVersion(file),
    readHelp(file),
    listDevices(file),
    earlier === null ? null : listDevices(earlier),
  ])
  if (version === null) throw unfit(file, 'it does not answer to --version as a llama-server does')
  const old = tooOld(file, missingFlags(help))
  if (old !== null) throw unfit(file, `it is too old, it lacks ${missingFlags(help).join(', ')}`)
  const withoutGpu = before === null ? null : lostGpu(devices, before)
  if (withoutGpu !== null) throw unfit(file, withoutGpu)
  progress.update(null, 'loading the test model with it')
  await answerWithTestModel(file, progress)
  return { version: version.version, devices: namesOf(devices) }
}

/** Why it would be slower than the one before; null when it uses a GPU too, or that is not known. Pure. */
export function lostGpu(now: DeviceList, before: DeviceList): string | null {
  const gone = namesOf(before)
  if (gone.length === 0) return null
  if (now.kind === 'unknown') return now.reason
  return namesOf(now).length > 0
    ? null
    : `it uses no GPU, the engine in use does (${gone.join(', ')})`
}

function namesOf(devices: DeviceList): readonly string[] {
  return devices.kind === 'listed' ? devices.devices.map(({ name }) => name) : []
}

/** In a folder of its own, beside the engine that runs: the test model takes next to nothing. */
async function answerWithTestModel(
  file: string,
  progress: Pick<Progress, 'update'>,
): Promise<void> {
  // Short: the path of a socket has a limit, and the temporary folder of a Mac is long already.
  const folder = await mkdtemp(join(process.platform === 'darwin' ? '/tmp' : tmpdir(), 'o20e-'))
  try {
    const modelPath = join(folder, 'model.gguf')
    await writeTestModel(modelPath, { template: TEMPLATE })
    await answerOnce(file, folder, modelPath, progress)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The words of the test model follow from the last token alone; the name of a channel marks it as harmony. */
const TEMPLATE =
  "{#- <|channel|> -#}{%- for message in messages -%}{{ '<|start|>' + message.role + '<|message|>' + message.content + '<|end|>' }}{%- endfor -%}{%- if add_generation_prompt -%}<|start|>assistant{%- endif -%}"

async function answerOnce(
  file: string,
  folder: string,
  modelPath: string,
  progress: Pick<Progress, 'update'>,
): Promise<void> {
  const engine = createLlamaEngine(
    { ...SMALL, file, modelPath, socketPath: join(folder, 'e.sock'), xdgConfigHome: folder },
    { safeMode: false, contextHalvings: 0 },
  )
  const child = spawnEngine(engine, () => undefined)
  const over = new AbortController()
  const died = child.exited.then((exit) => {
    over.abort()
    return engine.classifyExit(exit).message
  })
  try {
    const limit = AbortSignal.any([over.signal, AbortSignal.timeout(LOAD_LIMIT_MS)])
    await untilHealthy(engine, limit)
    progress.update(null, 'asking it a question')
    const result = await askForProof(engine.socketPath, ANSWER_LIMIT_MS, over.signal)
    if (result.kind === 'failed') throw unfit(file, `with the test model, ${result.why}`)
  } catch (error) {
    if (error instanceof Oss20bdError) throw error
    const why = over.signal.aborted
      ? `with the test model, it ended: ${await died}`
      : `it did not load the test model within ${LOAD_LIMIT_MS / 1000} s`
    throw unfit(file, why)
  } finally {
    await endChild(child, true, GRACES, systemClock)
  }
}

const SMALL = {
  alias: 'check',
  contextTokens: 1024,
  slots: 1,
  cacheType: 'f16',
  cacheRamMiB: 0,
  extraArgs: [],
} as const

function unfit(file: string, why: string): Oss20bdError {
  return new Oss20bdError('engine-failed', `Cannot use ${file}: ${why}`, {
    hint: 'Nothing was changed: the engine in use stays. Another one: oss20bd engines',
  })
}
