/** The models that are on this machine: which there are, which one is used, and where a name leads. */
import { readdir, realpath, stat } from 'node:fs/promises'
import { basename, isAbsolute, join, resolve } from 'node:path'
import type { Config } from '../config/config.ts'
import { errnoOf, fileError, Oss20bdError } from '../errors.ts'
import { checkModelFile } from '../model/model-file.ts'
import { type Origin, readOrigin } from '../model/origin.ts'
import type { Context } from './command.ts'

export interface ShelvedModel {
  readonly name: string
  readonly file: string
  readonly sizeBytes: number
  readonly inUse: boolean
  readonly state:
    | { readonly kind: 'good'; readonly architecture: string; readonly testModel: boolean }
    /** A download that can go on. */
    | { readonly kind: 'unfinished' }
    | { readonly kind: 'bad'; readonly reason: string }
  readonly origin: Origin | null
}

/** All of the models folder, and the one in use when it is elsewhere. */
export async function listModels(
  context: Context,
  config: Pick<Config, 'model'>,
): Promise<readonly ShelvedModel[]> {
  const { models } = context.paths
  const used = await usedModel(context, config)
  const names = await namesIn(models)
  const files = names
    .filter((name) => /\.gguf(\.part)?$/i.test(name))
    .map((name) => join(models, name))
  const found = await Promise.all(files.map(async (file) => ({ file, real: await realOf(file) })))
  const elsewhere = used !== null && !found.some(({ real }) => real === used) ? [used] : []
  const all = [...found, ...elsewhere.map((file) => ({ file, real: file }))]
  return Promise.all(all.map(({ file, real }) => shelved(file, real === used)))
}

/** The file itself, behind every link; null when none is chosen or it is gone. */
export async function usedModel(
  { paths }: Context,
  { model }: Pick<Config, 'model'>,
): Promise<string | null> {
  return realpath(model.path ?? join(paths.models, 'current')).catch(() => null)
}

/** A name on the shelf, with or without its ending, or a path. Throws `usage` when nothing is there. */
export async function findModel({ paths }: Context, named: string): Promise<string> {
  // A name copied from a file manager may spell its letters in the other way.
  const spelled = [named, named.normalize('NFC')]
  const names = isPlain(named) ? spelled.flatMap((name) => [name, `${name}.gguf`]) : []
  const onShelf = names.map((name) => join(paths.models, name))
  for (const file of [...onShelf, resolve(named)]) {
    if ((await stat(file).catch(() => null)) !== null) return file
  }
  throw new Oss20bdError('usage', `Cannot find the model ${named}: there is no such file`, {
    hint: 'oss20bd models shows what is there, oss20bd pull gets one',
  })
}

function isPlain(name: string): boolean {
  return !isAbsolute(name) && basename(name) === name
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).toSorted()
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw fileError('list the models', folder, error)
  }
}

async function realOf(file: string): Promise<string> {
  return realpath(file).catch(() => file)
}

async function shelved(file: string, inUse: boolean): Promise<ShelvedModel> {
  const name = basename(file)
  const found = await stat(file).catch(() => null)
  // A part is as long as the whole from its first byte on: what it takes of the disk tells more.
  const isPart = name.endsWith('.part')
  const sizeBytes = isPart ? (found?.blocks ?? 0) * 512 : (found?.size ?? 0)
  const of = { name, file, sizeBytes, inUse }
  if (isPart) return { ...of, state: { kind: 'unfinished' }, origin: null }
  const check = await checkModelFile(file)
  const origin = await readOrigin(file).catch(() => null)
  if (check.kind !== 'ok') return { ...of, state: { kind: 'bad', reason: check.message }, origin }
  const { architecture, testModel } = check
  return { ...of, state: { kind: 'good', architecture, testModel }, origin }
}
