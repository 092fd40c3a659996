/** File, environment and flags to a Config, or to every problem at once. */
import { homedir } from 'node:os'
import { dirname, resolve } from 'node:path'
import { errnoOf, messageOf } from '../errors.ts'
import type { Config } from './config.ts'
import { describeValue, type ConfigProblem } from './config-problem.ts'
import {
  readEnvironmentSource,
  readFlagSource,
  readTomlSource,
  type Entry,
  type Origin,
  type Source,
} from './config-sources.ts'
import { SETTING_KEYS, SETTINGS, type SettingKey, type SettingValues } from './schema.ts'
import { toConfig } from './to-config.ts'

export { configError } from './config-problem.ts'

export interface LoadConfigOptions {
  readonly file: string
  /** The person named the file, so it must be there. Otherwise a missing file means the defaults. */
  readonly fileRequired?: boolean
  readonly env: Readonly<Record<string, string | undefined>>
  /** Config keys to values, as `proxy.port` to `8021`. */
  readonly flags: Readonly<Record<string, string>>
  readonly readFile: (file: string) => Promise<string>
  /** Where relative paths of the environment and of flags begin; the working folder unless given. */
  readonly cwd?: string
}

type DisplayValue = string | number | boolean | readonly string[] | null

export type LoadedConfig =
  | {
      readonly kind: 'ok'
      readonly config: Config
      readonly origins: Readonly<Record<SettingKey, Origin>>
      /** Each value as it would be written in the file; null = not set. */
      readonly values: Readonly<Record<SettingKey, DisplayValue>>
    }
  | { readonly kind: 'invalid'; readonly problems: readonly ConfigProblem[] }

/** Precedence: defaults < file < `OSS20BD_*` environment < flags. Never throws for what a person wrote. */
export async function loadConfig(options: LoadConfigOptions): Promise<LoadedConfig> {
  const sources = [
    defaults(),
    await readFileSource(options),
    readEnvironmentSource(options.env),
    readFlagSource(options.flags),
  ]
  const judged = sources.flatMap(({ entries }) => entries.map((entry) => judge(entry, options)))
  const settled = new Map<SettingKey, Judged>()
  for (const one of judged) if (one.problem === null) settled.set(one.key, one)
  const problems = [
    ...sources.flatMap((source) => source.problems),
    ...judged.flatMap(({ problem }) => problem ?? []),
    ...checkTogether(settled),
  ]
  if (problems.length > 0) return { kind: 'invalid', problems }
  return {
    kind: 'ok',
    config: toConfig(parsedValues(settled)),
    origins: byKey(settled, (one) => one.origin),
    values: byKey(settled, (one) => one.display),
  }
}

function defaults(): Source {
  const entries = SETTING_KEYS.map((key): Entry => ({
    key,
    value: SETTINGS[key].default,
    origin: 'default',
    where: 'default',
  }))
  return { entries, problems: [] }
}

async function readFileSource(options: LoadConfigOptions): Promise<Source> {
  const { file, fileRequired = false, readFile } = options
  let text: string
  try {
    text = await readFile(file)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' && !fileRequired) return { entries: [], problems: [] }
    return { entries: [], problems: [{ where: file, ...unreadable(error) }] }
  }
  return readTomlSource(file, text)
}

function unreadable(error: unknown): { found: string; allowed: string } {
  const allowed = 'must be a TOML file that you may read'
  switch (errnoOf(error)) {
    case 'ENOENT':
      return { found: 'no such file', allowed }
    case 'EISDIR':
      return { found: 'it is a folder', allowed }
    case 'EACCES':
    case 'EPERM':
      return { found: 'no permission to read it', allowed }
    case undefined:
    default:
      return { found: `it cannot be read (${messageOf(error)})`, allowed }
  }
}

interface Judged extends Entry {
  readonly parsed: unknown
  readonly display: DisplayValue
  readonly problem: ConfigProblem | null
}

function judge(entry: Entry, options: LoadConfigOptions): Judged {
  const setting = SETTINGS[entry.key]
  const result = setting.schema.safeParse(entry.value)
  if (!result.success) {
    const found = `${entry.key} is ${describeValue(entry.value)}`
    const problem = { where: entry.where, found, allowed: `must be ${setting.allowed}` }
    return { ...entry, parsed: null, display: null, problem }
  }
  const isPath = setting.kind === 'path' && typeof result.data === 'string'
  const parsed = isPath ? absolute(String(result.data), entry, options) : result.data
  return { ...entry, parsed, display: toDisplay(isPath ? parsed : entry.value), problem: null }
}

function toDisplay(value: unknown): DisplayValue {
  if (Array.isArray(value)) return value.map(String)
  if (typeof value === 'string' || typeof value === 'number') return value
  return typeof value === 'boolean' ? value : null
}

/** A service runs elsewhere than the person who wrote the path: beside the config file, else where they are now. */
function absolute(path: string, { origin }: Entry, options: LoadConfigOptions): string {
  const { file, env, cwd = process.cwd() } = options
  const expanded = path.replace(/^~(?=\/|$)/, () => env['HOME'] ?? homedir())
  return resolve(origin === 'file' ? dirname(file) : cwd, expanded)
}

/** What is wrong only between two values that are fine by themselves. */
function checkTogether(settled: ReadonlyMap<SettingKey, Judged>): ConfigProblem[] {
  return [
    ...atLeast(settled, 'restart.maxDelay', 'restart.baseDelay'),
    ...atLeast(settled, 'memory.budget', 'memory.reserve'),
    ...atLeast(settled, 'proxy.heldSize', 'proxy.keepSize'),
    ...atLeast(settled, 'proxy.maxBodySize', 'proxy.keepSize'),
    ...otherPorts(settled),
  ]
}

function atLeast(
  settled: ReadonlyMap<SettingKey, Judged>,
  bigKey: SettingKey,
  smallKey: SettingKey,
): ConfigProblem[] {
  const big = settled.get(bigKey)
  const small = settled.get(smallKey)
  if (typeof big?.parsed !== 'number' || typeof small?.parsed !== 'number') return []
  if (big.parsed >= small.parsed) return []
  const where = big.origin === 'default' ? small.where : big.where
  const found = `${bigKey} is ${describeValue(big.value)}`
  return [{ where, found, allowed: `must be ${smallKey} (${String(small.display)}) or more` }]
}

function otherPorts(settled: ReadonlyMap<SettingKey, Judged>): ConfigProblem[] {
  const more = settled.get('proxy.alsoListen')
  const port = settled.get('proxy.port')?.parsed
  if (!Array.isArray(more?.parsed) || !more.parsed.includes(port)) return []
  const found = `proxy.alsoListen is ${describeValue(more.value)}`
  return [{ where: more.where, found, allowed: `must be without proxy.port (${String(port)})` }]
}

function byKey<Value>(
  settled: ReadonlyMap<SettingKey, Judged>,
  pick: (one: Judged) => Value,
): Record<SettingKey, Value> {
  const values: Record<string, Value> = {}
  for (const [key, one] of settled) values[key] = pick(one)
  return values
}

function parsedValues(settled: ReadonlyMap<SettingKey, Judged>): SettingValues {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each came out of its own key's schema
  return byKey(settled, (one) => one.parsed) as SettingValues
}
