/** The model step of `oss20bd up`: keeps the model that is there, else gets the real one, else makes the test model. */
import { readFile, realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Config } from '../config/config.ts'
import { errnoOf, fileError, Oss20bdError } from '../errors.ts'
import { checkModelFile } from '../model/model-file.ts'
import { buildTestModel, writeTestModel } from '../model/test-model.ts'
import type { Context } from './command.ts'
import { pointTo } from '../point-to.ts'
import type { Progress } from './progress.ts'
import { getRealModel } from './real-model.ts'

/** Which model the person wants: `any` keeps what is there and takes the best that works. */
export type ModelWish = 'any' | 'test' | 'real'

export interface UpModel {
  /** The file itself, behind every link. */
  readonly file: string
  readonly testModel: boolean
  /** The content of a file that was there has been replaced: an engine that has it open must restart. */
  readonly rewritten: boolean
  readonly note: string
  /** Why it is not the real one, when that was not asked for. */
  readonly reason: string | null
}

/** Resolves with a model that the engine can load. Throws `model-unusable`, `download-failed`, `disk-full`. */
export async function prepareModel(
  context: Context,
  config: Config,
  engineFile: string,
  wish: ModelWish,
  progress: Progress,
): Promise<UpModel> {
  if (config.model.path !== null) return ownModel(config.model.path)
  const { models } = context.paths
  const link = join(models, 'current')
  const kept = await keptModel(link)
  if (kept !== null && !kept.testModel && wish !== 'test') return kept
  const keepTest = kept !== null && kept.testModel && wish === 'any'
  const real =
    wish === 'test' || keepTest
      ? null
      : await getRealModel(context, config, wish === 'real', progress)
  const got =
    real?.kind === 'got'
      ? { ...found(real.file, false), note: real.note }
      : await testModel(models, engineFile, real === null ? null : real.reason)
  await pointTo(link, got.file, 'choose the model')
  return { ...got, note: keepTest ? `${got.note}, kept` : got.note }
}

async function ownModel(path: string): Promise<UpModel> {
  const check = await checkModelFile(path)
  if (check.kind === 'ok') {
    return { ...found(await realpath(path), check.testModel), note: `yours: ${path}` }
  }
  throw new Oss20bdError('model-unusable', check.message, { hint: check.hint })
}

/** What `models/current` leads to, when it can be loaded. */
async function keptModel(link: string): Promise<UpModel | null> {
  const file = await realpath(link).catch(() => null)
  if (file === null) return null
  const check = await checkModelFile(file)
  return check.kind === 'ok' ? found(file, check.testModel) : null
}

function found(file: string, isTestModel: boolean): UpModel {
  const note = isTestModel ? 'built-in test model' : basename(file)
  return { file, testModel: isTestModel, rewritten: false, note, reason: null }
}

/** Writes the test model unless the very same is there. */
async function testModel(
  models: string,
  engineFile: string,
  reason: string | null,
): Promise<UpModel> {
  const file = join(models, 'test-model.gguf')
  const template = await readTemplate(models, engineFile)
  const before = await readFile(file).catch(() => null)
  const same = before?.equals(buildTestModel({ template })) === true
  if (!same) await writeTestModel(file, { template })
  return {
    ...found(await realpath(file), true),
    rewritten: before !== null && !same,
    reason,
  }
}

/** It comes with the built engine; an engine of the person's own may lack it. */
async function readTemplate(models: string, engineFile: string): Promise<string> {
  const engines = join(dirname(models), 'engines', 'current')
  for (const folder of [dirname(dirname(engineFile)), engines]) {
    const file = join(folder, 'templates', 'openai-gpt-oss-120b.jinja')
    try {
      return await readFile(file, 'utf8')
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw fileError('read the chat template', file, error)
    }
  }
  throw new Oss20bdError(
    'model-unusable',
    'Cannot make the test model: its chat template comes with a built engine, and there is none',
    { hint: 'Run: oss20bd build' },
  )
}
