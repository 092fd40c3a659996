/** The doctor's look at the model: is it whole, and does it fit. */
import { join } from 'node:path'
import { llamaOptions } from '../../daemon/engine-settings.ts'
import { planFor } from '../../daemon/memory-plan.ts'
import { ownMemoryBytes, readPlanFacts, THIS_MACHINE } from '../../daemon/plan-facts.ts'
import type { Finding } from '../../finding.ts'
import { checkModelFile } from '../../model/model-file.ts'
import { formatBytes } from '../../units.ts'
import type { Context } from '../command.ts'
import { readSettled } from '../settings.ts'
import type { DoctorPart } from './part.ts'

export const modelPart: DoctorPart = {
  name: 'model',
  examine: async (context) => {
    const { config } = await readSettled(context)
    const file = config.model.path ?? join(context.paths.models, 'current')
    const check = await checkModelFile(file)
    if (check.kind !== 'ok') {
      const mend = check.kind === 'missing' ? 'oss20bd pull' : `oss20bd inspect '${file}'`
      const what = 'The model cannot be loaded'
      const findings = [{ id: `model-${check.kind}`, what, why: check.message, mend }]
      return { state: file, findings }
    }
    const short = await tooLarge(context, file)
    const kind = check.testModel ? 'the built-in test model' : 'a whole model file'
    return { state: `${kind} (${file})`, findings: short === null ? [] : [short] }
  },
}

async function tooLarge(context: Context, modelFile: string): Promise<Finding | null> {
  const { config } = await readSettled(context)
  const built = join(context.paths.engines, 'current', 'bin', 'llama-server')
  const engineFile = config.engine.path ?? built
  const { platform } = process
  const facts = await readPlanFacts({
    modelFile,
    engineFile,
    config,
    physicalBytes: ownMemoryBytes(),
    platform,
    asked: THIS_MACHINE,
  })
  const options = llamaOptions(config, context.paths, { engineFile, modelFile, contextTokens: 0 })
  const plan = planFor(facts, { ...options, contextTokens: config.model.contextTokens })
  if (plan.kind === 'unknown' || plan.chosen.fit.kind === 'fits') return null
  const { memoryShortBytes, gpuShortBytes } = plan.chosen.fit
  const of = gpuShortBytes > memoryShortBytes ? 'GPU memory' : 'memory'
  const why = `${formatBytes(Math.max(memoryShortBytes, gpuShortBytes))} of ${of} are missing with the settings as they are`
  return { id: 'model-too-large', what: 'The model does not fit', why, mend: 'oss20bd plan' }
}
