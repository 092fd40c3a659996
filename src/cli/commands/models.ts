/** `oss20bd models`: lists what is on this machine, chooses one, removes one. */
import { realpath, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { ownMemoryBytes } from '../../daemon/plan-facts.ts'
import { fileError, Oss20bdError } from '../../errors.ts'
import { readModelHeader } from '../../model/model-file.ts'
import { removeOrigin } from '../../model/origin.ts'
import { judgeSize } from '../../model/too-large.ts'
import { type Context, defineCommand, print, say } from '../command.ts'
import { pointTo } from '../../point-to.ts'
import type { ExitStatus } from '../exit-status.ts'
import { findModel, listModels, usedModel } from '../model-shelf.ts'
import { renderModels } from '../render-models.ts'
import { readSettled } from '../settings.ts'

export const command = defineCommand({
  options: {
    ACTION: { type: 'string', hidden: true, describe: 'list, use or remove' },
    NAME: { type: 'string', hidden: true, describe: 'The model, or a file' },
    force: {
      type: 'boolean',
      default: false,
      describe: 'Remove also the one in use; use also one that is too large',
    },
  },
  async run({ ACTION: action = 'list', NAME: name, force }, context) {
    if (action === 'list') return list(context)
    if (action === 'use') return use(context, nameFor('use', name), force)
    if (action === 'remove') return remove(context, nameFor('remove', name), force)
    throw new Oss20bdError(
      'usage',
      `Cannot do this with models: ${JSON.stringify(action)} was given, it must be list, use or remove`,
      { hint: 'oss20bd models, oss20bd models use NAME, or oss20bd models remove NAME' },
    )
  },
})

function nameFor(action: string, name: string | undefined): string {
  if (name !== undefined) return name
  throw new Oss20bdError('usage', `Cannot ${action} a model: its name is missing`, {
    hint: 'oss20bd models shows the names',
  })
}

async function list(context: Context): Promise<ExitStatus> {
  const { config } = await readSettled(context)
  const models = await listModels(context, config)
  if (context.json) print(context, JSON.stringify(models, undefined, 2))
  else if (models.length === 0) say(context, 'No models. Get gpt-oss-20b with: oss20bd pull')
  else {
    const width = context.stdout.isTTY === true ? (process.stdout.columns ?? 80) : Infinity
    for (const line of renderModels(models, width)) print(context, line)
    if (models.some(({ inUse }) => inUse)) say(context, '* is in use')
  }
  return 0
}

async function use(context: Context, name: string, force: boolean): Promise<ExitStatus> {
  const { config } = await readSettled(context)
  if (config.model.path !== null) {
    throw new Oss20bdError(
      'usage',
      `Cannot choose a model: the setting model.path names ${config.model.path}, which goes before any choice`,
      {
        hint: 'Take model.path out of the config, then run it again; oss20bd config shows where it is set',
      },
    )
  }
  const file = await findModel(context, name)
  const read = await readModelHeader(file)
  if (read.kind !== 'ok')
    throw new Oss20bdError('model-unusable', read.message, { hint: read.hint })
  const usableBytes = (config.memory.budgetBytes ?? ownMemoryBytes()) - config.memory.reserveBytes
  const tooLarge = judgeSize(file, read.header, usableBytes)
  if (tooLarge !== null && !force) {
    const hint = `${tooLarge.hint}; --force uses it all the same`
    throw new Oss20bdError('model-unusable', tooLarge.message, { hint })
  }
  await pointTo(join(context.paths.models, 'current'), file, 'choose the model')
  const told = { file, architecture: read.header.architecture, sizeBytes: read.sizeBytes }
  print(context, context.json ? JSON.stringify(told, undefined, 2) : `In use: ${basename(file)}`)
  say(context, 'A running engine takes it at: oss20bd restart')
  return 0
}

async function remove(context: Context, name: string, force: boolean): Promise<ExitStatus> {
  const { config } = await readSettled(context)
  const { models } = context.paths
  const file = await findModel(context, name)
  const folder = await realpath(dirname(file))
  if (folder !== (await realpath(models).catch(() => models)) || basename(file) === 'current') {
    throw new Oss20bdError('usage', `Cannot remove ${file}: it is not in the models folder`, {
      hint: `Only what is in ${models} is removed; delete other files yourself`,
    })
  }
  const used = await usedModel(context, config)
  const inUse = used !== null && used === (await realpath(file))
  if (inUse && !force) {
    throw new Oss20bdError('usage', `Cannot remove ${basename(file)}: it is the model in use`, {
      hint: 'Choose another one first: oss20bd models use NAME; or remove it with --force',
    })
  }
  await removeFiles(file, inUse && config.model.path === null ? join(models, 'current') : null)
  const told = { file, removed: true, wasInUse: inUse }
  print(context, context.json ? JSON.stringify(told, undefined, 2) : `Removed: ${basename(file)}`)
  if (inUse) say(context, 'No model is in use now. Choose one: oss20bd models use NAME')
  return 0
}

async function removeFiles(file: string, link: string | null): Promise<void> {
  try {
    if (link !== null) await rm(link, { force: true })
    await rm(file, { force: true })
    // What a download leaves beside its part.
    await rm(`${file}.json`, { force: true })
    await removeOrigin(file)
  } catch (error) {
    throw fileError('remove the model', file, error)
  }
}
