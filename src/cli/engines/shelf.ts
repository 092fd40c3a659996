/** The engines that are on this machine: which there are, which one is used, and where a name leads. */
import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { basename, dirname, join, resolve } from 'node:path'
import type { Config } from '../../config/config.ts'
import { currentEngine, engineBefore, serverOf } from '../../engine-trial.ts'
import { errnoOf, fileError, Oss20bdError } from '../../errors.ts'
import { assertExecutable, readEngineVersion } from '../../llama/engine-info.ts'
import type { Context } from '../command.ts'
import { field, parseJson } from '../json.ts'

export interface ShelvedEngine {
  readonly name: string
  /** llama-server itself, or the link to it. */
  readonly file: string
  /** As it says; null when it does not start. */
  readonly version: string | null
  readonly commit: string | null
  /** `npm:node-llama-cpp@…`, an address, a folder, or the program that it is a link to. */
  readonly source: string | null
  /** ISO 8601; null for one that we did not build. */
  readonly builtAt: string | null
  readonly inUse: boolean
  /** `oss20bd rollback` goes back to it. */
  readonly before: boolean
}

/** All of the engines folder. */
export async function listEngines({ paths }: Context): Promise<readonly ShelvedEngine[]> {
  const { engines } = paths
  const [current, before] = await Promise.all([currentEngine(engines), engineBefore(engines)])
  return Promise.all(
    (await namesIn(engines)).map(async (name) => ({
      ...(await shelved(engines, name)),
      inUse: name === current,
      before: name === before,
    })),
  )
}

async function namesIn(engines: string): Promise<readonly string[]> {
  try {
    const found = await readdir(engines, { withFileTypes: true })
    return found
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .map(({ name }) => name)
      .toSorted()
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw fileError('list the engines', engines, error)
  }
}

async function shelved(
  engines: string,
  name: string,
): Promise<Omit<ShelvedEngine, 'inUse' | 'before'>> {
  const file = serverOf(engines, name)
  const [version, source] = await Promise.all([readEngineVersion(file), readSource(engines, name)])
  return {
    name,
    file,
    version: version?.version ?? null,
    commit: version?.commit ?? null,
    ...source,
  }
}

async function readSource(
  engines: string,
  name: string,
): Promise<Pick<ShelvedEngine, 'source' | 'builtAt'>> {
  const text = await readFile(join(engines, name, 'manifest.json'), 'utf8').catch(() => '')
  const manifest = parseJson(text)
  const [source, builtAt] = [field(manifest, 'source'), field(manifest, 'builtAt')]
  return {
    source: typeof source === 'string' ? source : null,
    builtAt: typeof builtAt === 'string' ? builtAt : null,
  }
}

/**
 * The name of an engine on the shelf, or of one that is put there as a link: any llama-server, or a folder with
 * one. Throws `usage` when there is nothing, `engine-missing` when it cannot be run.
 */
export async function findEngine(context: Context, named: string): Promise<string> {
  const { engines } = context.paths
  if (await isOnShelf(engines, named)) return named
  const file = await serverAt(resolve(named))
  if (file === null) {
    throw new Oss20bdError(
      'usage',
      `Cannot find the engine ${named}: there is no such engine or file`,
      {
        hint: 'oss20bd engines shows what is there; a path to a llama-server works too',
      },
    )
  }
  const name = basename(dirname(dirname(file)))
  if (file === serverOf(engines, name)) return name
  await assertExecutable(file)
  return linkEngine(engines, file)
}

async function isOnShelf(engines: string, name: string): Promise<boolean> {
  if (basename(name) !== name || name.startsWith('.') || name === 'current') return false
  return (await stat(join(engines, name)).catch(() => null))?.isDirectory() === true
}

/** A folder is one of an engine (`bin/llama-server`), or of programs. */
async function serverAt(path: string): Promise<string | null> {
  const candidates = [path, join(path, 'bin', 'llama-server'), join(path, 'llama-server')]
  for (const file of candidates) {
    if ((await stat(file).catch(() => null))?.isFile() === true) return file
  }
  return null
}

/** A link and not a copy: what is upgraded there is upgraded here, and libraries beside it are found. */
async function linkEngine(engines: string, file: string): Promise<string> {
  const name = nameOfLink(file)
  const folder = join(engines, name)
  try {
    await mkdir(join(folder, 'bin'), { recursive: true })
    const manifest = { key: name, source: file }
    await writeFile(join(folder, 'manifest.json'), `${JSON.stringify(manifest, undefined, 2)}\n`)
    await symlink(file, join(folder, 'bin', 'llama-server')).catch((error: unknown) => {
      if (errnoOf(error) !== 'EEXIST') throw error
    })
    return name
  } catch (error) {
    throw fileError('put the engine on the shelf', folder, error)
  }
}

/** `/opt/homebrew/bin/llama-server` is `homebrew-bin-0fa1c2`: the same path always has the same name. Pure. */
export function nameOfLink(file: string): string {
  const words = dirname(file).split('/').slice(-2).join('-')
  const sum = createHash('sha256').update(file).digest('hex').slice(0, 6)
  return [words.replaceAll(/[^\w.-]+/g, '-').replaceAll(/^[.-]+|[.-]+$/g, ''), sum]
    .filter((part) => part !== '')
    .join('-')
}

/** Throws `usage` while the config names an engine: then it would have no effect. */
export function assertChoosable({ engine }: Pick<Config, 'engine'>, action: string): void {
  if (engine.path === null) return
  throw new Oss20bdError(
    'usage',
    `Cannot ${action}: the setting engine.path names ${engine.path}, which goes before any choice`,
    {
      hint: 'Take engine.path out of the config, then run it again; oss20bd config shows where it is set',
    },
  )
}

/** Throws `usage` for one that is in use, or that is to be there for a rollback. */
export async function removeEngine({ paths }: Context, name: string): Promise<void> {
  const { engines } = paths
  if (!(await isOnShelf(engines, name))) {
    throw new Oss20bdError(
      'usage',
      `Cannot remove the engine ${name}: there is none of that name`,
      {
        hint: 'oss20bd engines shows the names',
      },
    )
  }
  const [current, before] = await Promise.all([currentEngine(engines), engineBefore(engines)])
  if (name === current) throw needed(name, 'it is the engine in use')
  if (name === before) throw needed(name, 'oss20bd rollback goes back to it')
  try {
    await rm(join(engines, name), { recursive: true })
  } catch (error) {
    throw fileError('remove the engine', join(engines, name), error)
  }
}

function needed(name: string, why: string): Oss20bdError {
  return new Oss20bdError('usage', `Cannot remove the engine ${name}: ${why}`, {
    hint: 'Choose another one first: oss20bd engines use NAME',
  })
}
