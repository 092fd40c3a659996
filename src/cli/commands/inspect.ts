/** `oss20bd inspect`: what a model file is, from its header alone. */
import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../../config/config.ts'
import { llamaOptions } from '../../daemon/engine-settings.ts'
import { planFor } from '../../daemon/memory-plan.ts'
import { ownMemoryBytes, readPlanFacts, THIS_MACHINE } from '../../daemon/plan-facts.ts'
import { Oss20bdError } from '../../errors.ts'
import { modelFacts } from '../../model/model-facts.ts'
import { readModelHeader } from '../../model/model-file.ts'
import { readOrigin } from '../../model/origin.ts'
import { judgeSize } from '../../model/too-large.ts'
import { type Context, defineCommand, print } from '../command.ts'
import { findModel, usedModel } from '../model-shelf.ts'
import { type Inspected, renderInspected } from '../render-inspect.ts'
import { readSettled } from '../settings.ts'

export const command = defineCommand({
  options: {
    FILE: {
      type: 'string',
      hidden: true,
      describe: 'The file or model; the one in use unless given',
    },
  },
  async run(args, context) {
    const inspected = await inspect(context, args.FILE)
    if (context.json) print(context, JSON.stringify(inspected, undefined, 2))
    else for (const line of renderInspected(inspected)) print(context, line)
    return 0
  },
})

/** Throws `model-unusable`, with what the file is instead, for anything that cannot be loaded. */
async function inspect(context: Context, named: string | undefined): Promise<Inspected> {
  const { config } = await readSettled(context)
  const file =
    named === undefined ? await usedModel(context, config) : await findModel(context, named)
  if (file === null) {
    throw new Oss20bdError('usage', 'Cannot inspect: no model is in use, and no file was named', {
      hint: 'oss20bd inspect FILE, or oss20bd pull to get a model',
    })
  }
  const read = await readModelHeader(file)
  if (read.kind !== 'ok') {
    throw new Oss20bdError('model-unusable', read.message, { hint: read.hint })
  }
  const { need, usableBytes } = await needHere(context, config, file)
  return {
    file: await realpath(file),
    sizeBytes: read.sizeBytes,
    whole: true,
    ...modelFacts(read.header),
    origin: await readOrigin(file),
    tooLarge: judgeSize(file, read.header, usableBytes),
    need,
  }
}

interface NeedHere {
  readonly need: Inspected['need']
  readonly usableBytes: number
}

/** With the settings of the config, for each context. */
async function needHere({ paths }: Context, config: Config, modelFile: string): Promise<NeedHere> {
  const engineFile = config.engine.path ?? join(paths.engines, 'current', 'bin', 'llama-server')
  const facts = await readPlanFacts({
    modelFile,
    engineFile,
    config,
    physicalBytes: ownMemoryBytes(),
    platform: process.platform,
    asked: THIS_MACHINE,
  })
  const { usableBytes } = facts.budget.memory
  const options = llamaOptions(config, paths, { engineFile, modelFile, contextTokens: 0 })
  const plan = planFor(facts, { ...options, contextTokens: config.model.contextTokens })
  if (plan.kind === 'unknown') return { need: plan, usableBytes }
  const rows = plan.rows
    .filter(({ cacheType }) => cacheType === options.cacheType)
    .map(({ contextTokens, need, fit }) => ({
      contextTokens,
      bytes: need.totalBytes,
      fits: fit.kind === 'fits',
    }))
  return { need: { kind: 'known', rows }, usableBytes }
}
