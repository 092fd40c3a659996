/** The file that a conversion makes: refused when it would replace another, and under its name only when it is whole. */
import { access, constants, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, extname, join, resolve } from 'node:path'
import { errnoOf, fileError, Oss20bdError } from '../../errors.ts'
import { checkModelFile } from '../../model/model-file.ts'
import { isAlive } from './made-folder.ts'

export interface OutFile {
  /** Where it will be. */
  readonly file: string
  readonly folder: string
}

/** Throws `usage` or `state-folder` unless OUT may be written. */
export async function chooseOutFile(named: string, force: boolean): Promise<OutFile> {
  const file = resolve(extname(named).toLowerCase() === '.gguf' ? named : `${named}.gguf`)
  const folder = dirname(file)
  await assertFolder(folder)
  const there = await stat(file).catch(() => null)
  if (there === null) return { file, folder }
  if (there.isDirectory()) throw refuse(`${file} is a folder`, 'Name a file that ends in .gguf')
  if (!force) {
    throw refuse(`${file} is there already`, 'Give another name, or replace it with --force')
  }
  return { file, folder }
}

/**
 * Gives `write` a name beside OUT, holds what it wrote against a reader of our own, and moves it to its
 * name in one step. Whatever goes wrong, nothing of it is left.
 */
export async function writeWhole<Result>(
  out: OutFile,
  write: (temporary: (what: string) => string) => Promise<Result>,
): Promise<Result> {
  const { file, folder } = out
  await sweep(out)
  const temporary = (what: string): string =>
    join(folder, `${leftover(file)}${process.pid}.${what}`)
  try {
    const result = await write(temporary)
    const check = await checkModelFile(temporary(OUTPUT))
    if (check.kind !== 'ok') throw new Oss20bdError('model-unusable', check.message)
    await rename(temporary(OUTPUT), file)
    return result
  } finally {
    await sweep(out, process.pid)
  }
}

/** The name for `temporary` of what becomes OUT. */
export const OUTPUT = 'gguf'

function leftover(file: string): string {
  // The converter fills braces in a name with its own words.
  return `.${basename(file).replaceAll(/[{}]/g, '_')}.writing-`
}

/** Removes what runs that were killed left behind, and what `own` made. */
async function sweep({ file, folder }: OutFile, own?: number): Promise<void> {
  const start = leftover(file)
  for (const name of await readdir(folder)) {
    const pid = name.startsWith(start) ? Number.parseInt(name.slice(start.length), 10) : 0
    if (pid > 0 && (pid === own || !isAlive(pid))) await rm(join(folder, name), { force: true })
  }
}

async function assertFolder(folder: string): Promise<void> {
  try {
    if (!(await stat(folder)).isDirectory()) throw refuse(`${folder} is not a folder`, OTHER_PLACE)
    await access(folder, constants.W_OK | constants.X_OK)
  } catch (error) {
    if (error instanceof Oss20bdError) throw error
    if (errnoOf(error) === 'ENOENT') {
      throw refuse(`there is no folder ${folder}`, `Make it: mkdir -p ${JSON.stringify(folder)}`)
    }
    throw fileError('write the model', folder, error)
  }
}

const OTHER_PLACE = 'Name a file in a folder of yours'

function refuse(why: string, hint: string): Oss20bdError {
  return new Oss20bdError('usage', `Cannot write the model: ${why}`, { hint })
}
