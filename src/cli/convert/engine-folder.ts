/** The engine that was built here, whose tools convert and quantize. */
import { readFile, realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { Oss20bdError } from '../../errors.ts'
import type { Context } from '../command.ts'
import { readSettled } from '../settings.ts'

const Manifest = z.object({ version: z.string(), commit: z.string(), source: z.string() })

/** What it was built from, as scripts/build-llama.sh wrote it. */
export interface BuiltFrom {
  readonly version: string
  /** 40 digits, or `tree-` and a sum for a folder of sources. */
  readonly commit: string
  /** `npm:PACKAGE@VERSION`, `ADDRESS#REF`, or the folder. */
  readonly source: string
}

/** The folder with `bin/`; the one that `engine.path` names when that is set. */
export async function engineFolder(context: Context): Promise<string> {
  const { config } = await readSettled(context)
  if (config.engine.path === null) return join(context.paths.engines, 'current')
  const file = await realpath(config.engine.path).catch(() => config.engine.path ?? '')
  return dirname(dirname(file))
}

/** Throws `engine-missing` for an engine that was not built here. */
export async function readBuiltFrom(folder: string): Promise<BuiltFrom> {
  const file = join(folder, 'manifest.json')
  try {
    const json: unknown = JSON.parse(await readFile(file, 'utf8'))
    return Manifest.parse(json)
  } catch (error) {
    throw new Oss20bdError(
      'engine-missing',
      `Cannot convert: ${file} does not say what the engine was built from`,
      {
        hint: 'Run oss20bd build: the converter comes from the sources of the engine that it builds',
        cause: error,
      },
    )
  }
}
