/** The resolved config, for the commands that need it. */
import { readFile } from 'node:fs/promises'
import type { Config } from '../config/config.ts'
import { configError, loadConfig } from '../config/load-config.ts'
import type { Context } from './command.ts'

type Loaded = Extract<Awaited<ReturnType<typeof loadConfig>>, { kind: 'ok' }>

/** Reads the config as the daemon would. Throws `config-invalid` with every problem. */
export async function readSettled(context: Context): Promise<Loaded> {
  const loaded = await loadConfig({
    file: configFileOf(context),
    fileRequired: context.configFile !== null,
    env: context.env,
    flags: context.flags,
    readFile: (file) => readFile(file, 'utf8'),
  })
  if (loaded.kind === 'invalid') throw configError(loaded.problems)
  return loaded
}

/** The config file that is read: `--config`, or the usual place. */
export function configFileOf({ configFile, paths }: Context): string {
  return configFile ?? paths.configFile
}

/** How long a polite stop may take by the config, plus 5 s to clean up. */
export function stopLimitMs({ engine }: Pick<Config, 'engine'>): number {
  return engine.drainTimeoutMs + engine.exitGraceMs + engine.termGraceMs + 5000
}
