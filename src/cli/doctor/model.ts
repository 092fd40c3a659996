/** The doctor's look at the model: is it whole, is it what was downloaded, and does it fit. */
import { realpath } from 'node:fs/promises'
import { llamaOptions } from '../../daemon/engine-settings.ts'
import type { Status } from '../../daemon/control-protocol.ts'
import { planFor } from '../../daemon/memory-plan.ts'
import { ownMemoryBytes, readPlanFacts, THIS_MACHINE } from '../../daemon/plan-facts.ts'
import { wordsOf } from '../../daemon/setting-words.ts'
import type { Config } from '../../config/config.ts'
import type { Finding } from '../../finding.ts'
import {
  checkModelFile,
  type ModelFileCheck,
  type ModelFileProblem,
} from '../../model/model-file.ts'
import { type Origin, readOrigin } from '../../model/origin.ts'
import { quote } from '../../service/step-text.ts'
import { formatBytes } from '../../units.ts'
import type { Context } from '../command.ts'
import type { DoctorPart, Examined } from './part.ts'
import { engineFileOf, modelFileOf } from './visit.ts'

export const modelPart: DoctorPart = {
  name: 'model',
  examine: async (context, { config: settled, platform, status }) => {
    const config = await settled()
    const file = modelFileOf(context, config)
    const check = await checkModelFile(file)
    if (check.kind !== 'ok') return unusable(file, check, config.model.path !== null)
    const real = await realpath(file)
    const [origin, now, tooLarge] = await Promise.all([
      readOrigin(real).catch(() => null),
      status(),
      findTooLarge(context, config, platform),
    ])
    return examineModel({ file, check, origin, lastExit: now?.engine.lastExit ?? null, tooLarge })
  },
}

export interface ModelState {
  readonly file: string
  readonly check: Extract<ModelFileCheck, { kind: 'ok' }>
  readonly origin: Pick<Origin, 'sizeBytes'> | null
  readonly lastExit: Pick<NonNullable<Status['engine']['lastExit']>, 'cause' | 'message'> | null
  readonly tooLarge: Finding | null
}

/** Of a file that looks whole. Pure. */
export function examineModel({ file, check, origin, lastExit, tooLarge }: ModelState): Examined {
  const kind = check.testModel
    ? 'the built-in test model, whose words mean nothing'
    : `whole, ${formatBytes(check.sizeBytes)}`
  const why =
    origin !== null && origin.sizeBytes !== check.sizeBytes
      ? `it has ${check.sizeBytes} bytes, ${origin.sizeBytes} were downloaded`
      : lastExit?.cause === 'model-corrupt'
        ? `the engine could not load it: ${lastExit.message}`
        : null
  const corrupt: Finding[] =
    why === null
      ? []
      : [{ id: 'model-corrupt', what: 'The model file is damaged', why, mend: 'oss20bd verify' }]
  return {
    state: `${kind} (${file})`,
    findings: [...corrupt, ...(tooLarge === null ? [] : [tooLarge])],
  }
}

const WHATS: Readonly<Record<ModelFileProblem['kind'], string>> = {
  missing: 'There is no model yet',
  folder: 'The model is a folder, of which the engine cannot read the form',
  empty: 'The model file is empty',
  'not-gguf': 'The model file is of the wrong kind',
  legacy: 'The model file is of a kind that llama.cpp reads no more',
  'cut-short': 'The model file is not whole',
  unreadable: 'The model file cannot be read',
  shortage: 'The model file cannot be opened: the system is short of files or memory',
}

/** Pure. */
export function unusable(file: string, check: ModelFileProblem, isNamed: boolean): Examined {
  const { kind, message } = check
  const because = isNamed ? '; model.path in the config names it' : ''
  const finding = {
    id: `model-${kind}`,
    what: WHATS[kind],
    why: `${message}${because}`,
    mend: mendOf(file, check),
  }
  return { state: `none that can be loaded (${file})`, findings: [finding] }
}

function mendOf(file: string, { kind, message }: ModelFileProblem): string {
  if (kind === 'shortage') return 'oss20bd restart'
  const isClosed = kind === 'unreadable' && message.includes('no permission')
  return isClosed ? `chmod u+r ${quote(file)}` : 'oss20bd pull'
}

async function findTooLarge(
  context: Context,
  config: Config,
  platform: NodeJS.Platform,
): Promise<Finding | null> {
  const modelFile = modelFileOf(context, config)
  const engineFile = engineFileOf(context, config)
  const machine = { physicalBytes: ownMemoryBytes(), platform, asked: THIS_MACHINE }
  const facts = await readPlanFacts({ modelFile, engineFile, config, ...machine })
  const what = 'The model does not fit into the memory'
  if (facts.overlarge !== null) {
    const why = facts.overlarge.message
    return { id: 'model-too-large', what, why, mend: mendLarge(facts.overlarge.hint) }
  }
  const options = llamaOptions(config, context.paths, { engineFile, modelFile, contextTokens: 0 })
  const plan = planFor(facts, { ...options, contextTokens: config.model.contextTokens })
  if (plan.kind === 'unknown' || plan.chosen.fit.kind === 'fits') return null
  const { memoryShortBytes, gpuShortBytes } = plan.chosen.fit
  const of = gpuShortBytes > memoryShortBytes ? 'GPU memory' : 'memory'
  const short = `${formatBytes(Math.max(memoryShortBytes, gpuShortBytes))} of ${of} are missing`
  const [nearest] = plan.nearest ?? []
  const fits = nearest === undefined ? 'no setting makes it fit' : `${wordsOf(nearest)} would fit`
  return { id: 'model-too-large', what, why: `${short}; ${fits}`, mend: 'oss20bd plan' }
}

/** The command that the hint names, when it can be run as it is. */
function mendLarge(hint: string): string {
  return hint.includes('`oss20bd pull`') ? 'oss20bd pull' : 'oss20bd plan'
}
