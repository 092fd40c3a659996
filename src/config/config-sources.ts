/** The three places that settings are written in, each as a list of entries and problems. Pure. */
import { parse, TomlError } from 'smol-toml'
import { messageOf } from '../errors.ts'
import { describeValue, type ConfigProblem } from './config-problem.ts'
import { didYouMean } from './did-you-mean.ts'
import { isSettingKey, SETTING_KEYS, SETTINGS, variableOf, type SettingKey } from './schema.ts'

export type Origin = 'default' | 'file' | 'environment' | 'flag'

/** One value as written, not yet judged. */
export interface Entry {
  readonly key: SettingKey
  readonly value: unknown
  readonly origin: Origin
  readonly where: string
}

export interface Source {
  readonly entries: readonly Entry[]
  readonly problems: readonly ConfigProblem[]
}

type Environment = Readonly<Record<string, string | undefined>>

/** Variables that are no config keys. */
const OTHER_VARIABLES: readonly string[] = [
  'OSS20BD_HOME',
  'OSS20BD_CACHE',
  'OSS20BD_CONFIG',
  'OSS20BD_DEBUG',
  'OSS20BD_TOKEN',
  'OSS20BD_TEST_ENGINE',
  'OSS20BD_TEST_PLATFORM',
]

/** The text of `config.toml`; `file` is its path, for messages. */
export function readTomlSource(file: string, text: string): Source {
  const toml = text.replace(/^\uFEFF/, '')
  try {
    return flatten(file, toml, parse(toml))
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const reason = messageOf(error).split('\n')[0]?.replace('Invalid TOML document: ', '')
    return {
      entries: [],
      problems: [
        {
          where: `${file}:${error.line}:${error.column}`,
          found: reason ?? 'a mistake',
          allowed: 'must be TOML',
        },
      ],
    }
  }
}

function flatten(file: string, toml: string, document: Record<string, unknown>): Source {
  const entries: Entry[] = []
  const problems: ConfigProblem[] = []
  const sections = new Set(SETTING_KEYS.map((key) => key.split('.')[0]))
  for (const [section, content] of Object.entries(document)) {
    const known = sections.has(section)
    if (!known || !isTable(content)) {
      const where = locate(file, toml, [section])
      const found = `${section} is ${describeValue(content)}`
      problems.push(
        known
          ? { where, found, allowed: `must be a section [${section}]` }
          : unknown(where, section),
      )
      continue
    }
    for (const [name, value] of Object.entries(content)) {
      const key = `${section}.${name}`
      const where = locate(file, toml, [section, name])
      if (isSettingKey(key)) entries.push({ key, value, origin: 'file', where })
      else problems.push(unknown(where, key))
    }
  }
  return { entries, problems }
}

function isTable(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
  )
}

function unknown(where: string, key: string): ConfigProblem {
  const sections = [...new Set(SETTING_KEYS.map((known) => known.split('.')[0] ?? ''))]
  const near = didYouMean(key, key.includes('.') ? SETTING_KEYS : [...sections, ...SETTING_KEYS])
  return { where, found: `unknown key ${key}`, allowed: suggestion(near) }
}

function suggestion(near: string | null): string {
  return near === null ? '`oss20bd config` lists every key' : `did you mean ${near}`
}

/** `file:line` of a key, or of its section; the bare file when neither is written plainly. */
function locate(file: string, toml: string, path: readonly string[]): string {
  const wanted = path.join('.')
  const line = findLine(toml, wanted) ?? findLine(toml, path[0] ?? '')
  return line === null ? file : `${file}:${line}`
}

/** smol-toml tells no positions, so this looks for `[section]` and `key =`; null when not found. */
function findLine(toml: string, wanted: string): number | null {
  let section = ''
  for (const [index, line] of toml.split('\n').entries()) {
    const header = /^\s*\[+\s*([^\]]+?)\s*\]/.exec(line)?.[1]
    const name = /^\s*([\w."'-]+)\s*=/.exec(line)?.[1]
    if (header !== undefined) section = bare(header)
    const here = name === undefined ? section : [section, bare(name)].filter(Boolean).join('.')
    if ((header !== undefined || name !== undefined) && here === wanted) return index + 1
  }
  return null
}

function bare(name: string): string {
  return name.replaceAll(/["'\s]/g, '')
}

/** Every `OSS20BD_*` variable. An empty one counts as not set. */
export function readEnvironmentSource(env: Environment): Source {
  const keys = new Map<string, SettingKey>(SETTING_KEYS.map((key) => [variableOf(key), key]))
  const entries: Entry[] = []
  const problems: ConfigProblem[] = []
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('OSS20BD_') || text === undefined || text === '') continue
    const key = keys.get(name)
    if (key !== undefined) {
      entries.push({ key, value: fromText(key, text), origin: 'environment', where: name })
    } else if (!OTHER_VARIABLES.includes(name)) {
      const near = didYouMean(name, [...keys.keys(), ...OTHER_VARIABLES])
      problems.push({ where: name, found: 'unknown variable', allowed: suggestion(near) })
    }
  }
  return { entries, problems }
}

/** Flags by key, as `proxy.port` to `8021`. */
export function readFlagSource(flags: Readonly<Record<string, string>>): Source {
  const entries: Entry[] = []
  const problems: ConfigProblem[] = []
  for (const [key, text] of Object.entries(flags)) {
    const where = `--set ${key}`
    if (isSettingKey(key)) entries.push({ key, value: fromText(key, text), origin: 'flag', where })
    else problems.push(unknown(where, key))
  }
  return { entries, problems }
}

/** A text as the file would hold it. What does not fit stays text, and is then refused as such. */
function fromText(key: SettingKey, text: string): unknown {
  switch (SETTINGS[key].kind) {
    case 'text':
    case 'path':
      return text
    case 'integer':
      return /^\s*-?\d+\s*$/.test(text) ? Number(text) : text
    case 'boolean':
      return { true: true, false: false }[text.trim().toLowerCase()] ?? text
    case 'list':
      return listFromText(text)
  }
}

/** `a, b` or, for items with commas, a JSON array. */
function listFromText(text: string): unknown {
  if (!text.trimStart().startsWith('[')) {
    return text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '')
  }
  try {
    const items: unknown = JSON.parse(text)
    return items
  } catch {
    return text
  }
}
