/** Which engine is in use, which one it replaced, and how that went: `engines/current` and `engines/trial.json`. */
import { readFile, readlink, rename, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { fileError } from './errors.ts'
import { pointTo } from './point-to.ts'

/**
 * An engine that took the place of another one is on trial: when it does not prove itself, the daemon goes back
 * to the earlier one. On disk, so that a daemon that starts in between knows of it.
 */
export interface EngineTrial {
  /** The names of their folders in `engines/`. */
  readonly engine: string
  readonly earlier: string
  /** ISO 8601. */
  readonly begunAt: string
  /** How fast the earlier one wrote, on the same model; null when that is not known. */
  readonly earlierTokensPerSecond: number | null
  readonly outcome: 'running' | 'kept' | 'rolled-back'
  /** What decided it; null while it runs, and when time alone did. */
  readonly why: string | null
}

/** The name of the engine in use; null when there is none, or one that is no link to a neighbour. */
export async function currentEngine(engines: string): Promise<string | null> {
  const target = await readlink(join(engines, 'current')).catch(() => null)
  return target !== null && basename(target) === target ? target : null
}

/** llama-server of the engine of this name. */
export function serverOf(engines: string, name: string): string {
  return join(engines, name, 'bin', 'llama-server')
}

/** The last trial; null when there was none, or another engine has been put in use since. */
export async function readTrial(engines: string): Promise<EngineTrial | null> {
  const trial = asTrial(await readFile(recordOf(engines), 'utf8').catch(() => ''))
  if (trial === null) return null
  const inUse = trial.outcome === 'rolled-back' ? trial.earlier : trial.engine
  return (await currentEngine(engines)) === inUse ? trial : null
}

/** The engine that `rollback` goes back to; null when there is none. */
export async function engineBefore(engines: string): Promise<string | null> {
  const trial = await readTrial(engines)
  return trial === null || trial.outcome === 'rolled-back' ? null : trial.earlier
}

/** Puts an engine in use, on trial when it replaces another one. The record is first: alone it means nothing. */
export async function putInUse(
  engines: string,
  engine: string,
  { begunAt, earlierTokensPerSecond }: Pick<EngineTrial, 'begunAt' | 'earlierTokensPerSecond'>,
): Promise<EngineTrial | null> {
  const earlier = await currentEngine(engines)
  if (earlier === engine) return readTrial(engines)
  const outcome = 'running'
  const trial: EngineTrial | null =
    earlier === null
      ? null
      : { engine, earlier, begunAt, earlierTokensPerSecond, outcome, why: null }
  if (trial === null) await rm(recordOf(engines), { force: true })
  else await writeTrial(engines, trial)
  await pointTo(join(engines, 'current'), join(engines, engine), 'choose the engine')
  return trial
}

/** Ends a trial; the link goes first when it went badly: a record that does not fit it means nothing. */
export async function endTrial(
  engines: string,
  trial: EngineTrial,
  outcome: 'kept' | 'rolled-back',
  why: string | null,
): Promise<EngineTrial> {
  if (outcome === 'rolled-back') {
    await pointTo(join(engines, 'current'), join(engines, trial.earlier), 'go back to the engine')
  }
  const ended = { ...trial, outcome, why }
  await writeTrial(engines, ended)
  return ended
}

function recordOf(engines: string): string {
  return join(engines, 'trial.json')
}

async function writeTrial(engines: string, trial: EngineTrial): Promise<void> {
  const file = recordOf(engines)
  const temporary = `${file}.${process.pid}.tmp`
  try {
    await writeFile(temporary, `${JSON.stringify(trial, undefined, 2)}\n`)
    await rename(temporary, file)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined)
    throw fileError('write down the trial of the engine', file, error)
  }
}

/** Only a neighbour of the link: a path would lead anywhere. */
const nameSchema = z
  .string()
  .refine((name) => !['', '.', '..'].includes(name) && basename(name) === name)

const trialSchema = z.object({
  engine: nameSchema,
  earlier: nameSchema,
  begunAt: z.string(),
  earlierTokensPerSecond: z.number().nullable(),
  outcome: z.enum(['running', 'kept', 'rolled-back']),
  why: z.string().nullable(),
})

/** null for what is not readable: it was written by somebody else. */
function asTrial(text: string): EngineTrial | null {
  try {
    return trialSchema.parse(JSON.parse(text))
  } catch {
    return null
  }
}
