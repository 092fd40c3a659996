/** The engine step of `oss20bd up`: builds what is missing, keeps what somebody chose. */
import { constants } from 'node:fs'
import { access, readFile, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../config/config.ts'
import { Oss20bdError } from '../errors.ts'
import { buildEngine } from './build-engine.ts'
import type { Context } from './command.ts'
import { field, parseJson } from './json.ts'
import type { Progress } from './progress.ts'

export interface UpEngine {
  /** llama-server itself, behind every link. */
  readonly serverFile: string
  readonly note: string
}

/** Resolves with an engine that can be started. Throws `engine-missing`, `tool-missing`, `build-failed`. */
export async function prepareEngine(
  context: Context,
  config: Config,
  progress: Progress,
): Promise<UpEngine> {
  const own = config.engine.path
  if (own !== null) {
    if (await isExecutable(own)) return { serverFile: await realpath(own), note: `yours: ${own}` }
    throw new Oss20bdError(
      'engine-missing',
      `Cannot use the engine ${own}: it must be a program that you may run`,
      {
        hint: 'Correct engine.path, or remove it to use the built engine',
      },
    )
  }
  const current = join(context.paths.engines, 'current')
  const chosen = await readChosen(current)
  if (chosen !== null) return chosen
  const { note } = await buildEngine(context, {}, progress)
  return { serverFile: await realpath(serverIn(current)), note }
}

/** An engine that somebody built from other sources stays; null when it is the pinned kind or not usable. */
async function readChosen(current: string): Promise<UpEngine | null> {
  const source = await readSource(join(current, 'manifest.json'))
  if (source === null || source.startsWith('npm:')) return null
  const server = serverIn(current)
  if (!(await isExecutable(server))) return null
  return { serverFile: await realpath(server), note: `yours, built from ${source}` }
}

/** null when there is no engine yet, or one that cannot be told: both are built. */
async function readSource(manifestFile: string): Promise<string | null> {
  const text = await readFile(manifestFile, 'utf8').catch(() => '')
  const source = field(parseJson(text), 'source')
  return typeof source === 'string' ? source : null
}

function serverIn(engineFolder: string): string {
  return join(engineFolder, 'bin', 'llama-server')
}

function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  )
}
