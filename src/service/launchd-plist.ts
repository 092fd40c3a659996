/** The plist of the service: the template that launchd/ holds, filled in for one user. Pure. */
import { isDeepStrictEqual } from 'node:util'
import { build, parse } from 'plist'
import { shimFile } from './installed-program.ts'
import type { ServiceSpec } from './service.ts'

/** launchd's own default, and enough for the graces of the default config. */
const MIN_EXIT_TIMEOUT_SECONDS = 60
/** The daemon ends by itself first: a SIGKILL by launchd would cut answers without a word. */
const SPARE_SECONDS = 10

/** Seconds between SIGTERM and SIGKILL. */
export function exitTimeoutSeconds({ stopLimitMs }: Pick<ServiceSpec, 'stopLimitMs'>): number {
  return Math.max(MIN_EXIT_TIMEOUT_SECONDS, Math.ceil(stopLimitMs / 1000) + SPARE_SECONDS)
}

export function fillPlist(spec: ServiceSpec): string {
  const values: Readonly<Record<string, string>> = {
    PROGRAM: shimFile(spec),
    HOME: spec.user.home,
    PATH: spec.environment['PATH'] ?? '',
    LOGS: spec.folders.logs,
  }
  const template = asDict(fill(parse(spec.template), values))
  const command = template['ProgramArguments']
  return `${build({
    ...template,
    ...(spec.scope === 'system' ? { UserName: spec.user.name } : {}),
    ProgramArguments: [...(Array.isArray(command) ? command : []), ...spec.daemonArgs],
    ExitTimeOut: exitTimeoutSeconds(spec),
    EnvironmentVariables: { ...asDict(template['EnvironmentVariables']), ...spec.environment },
  })}\n`
}

type Value = ReturnType<typeof parse>

/** Replaces `{{NAME}}` in every text. */
function fill(value: Value, values: Readonly<Record<string, string>>): Value {
  if (typeof value === 'string') {
    return value.replace(/\{\{(\w+)\}\}/g, (whole, name: string) => values[name] ?? whole)
  }
  if (Array.isArray(value)) return value.map((one: Value) => fill(one, values))
  if (isDict(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, fill(one, values)]))
  }
  return value
}

type Dict = Record<string, Value>

function isDict(value: Value | undefined): value is Dict {
  return (
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
  )
}

function asDict(value: Value | undefined): Dict {
  return isDict(value) ? value : {}
}

/** What others ask of a plist; null for a text that is none. */
export interface ReadPlist {
  readonly label: string | null
  readonly programArguments: readonly string[]
  readonly processType: string | null
  readonly exitTimeOut: number | null
  readonly throttleInterval: number | null
  readonly environment: Readonly<Record<string, string>>
}

export function readPlist(text: string): ReadPlist | null {
  // The parser complains on stderr of anything else: of a binary one too, as apps write them.
  if (!/<plist[^>]*>[^]*<\/plist>\s*$/.test(text)) return null
  try {
    const dict = asDict(parse(text))
    const command = dict['ProgramArguments']
    return {
      label: asText(dict['Label']),
      programArguments: Array.isArray(command)
        ? command.filter((one: Value): one is string => typeof one === 'string')
        : [asText(dict['Program']) ?? ''],
      processType: asText(dict['ProcessType']),
      exitTimeOut: asNumber(dict['ExitTimeOut']),
      throttleInterval: asNumber(dict['ThrottleInterval']),
      environment: Object.fromEntries(
        Object.entries(asDict(dict['EnvironmentVariables'])).flatMap(([name, value]) =>
          typeof value === 'string' ? [[name, value]] : [],
        ),
      ),
    }
  } catch {
    return null
  }
}

function asNumber(value: Value | undefined): number | null {
  return typeof value === 'number' ? value : null
}

function asText(value: Value | undefined): string | null {
  return typeof value === 'string' ? value : null
}

/** The names of the keys in which an installed plist is not what would be written now. */
export function differingKeys(installed: string, wanted: string): readonly string[] {
  const [was, is] = [installed, wanted].map(ownKeys)
  if (was === undefined || is === undefined) return []
  const names = new Set([...Object.keys(was), ...Object.keys(is)])
  return [...names].filter((name) => !isDeepStrictEqual(was[name], is[name])).toSorted()
}

/** Without what a person chose when installing: arguments, settings, PATH; of those any are right. */
function ownKeys(text: string): Dict {
  const { EnvironmentVariables: _environment, ExitTimeOut: _time, ...rest } = parseOrEmpty(text)
  const command = rest['ProgramArguments']
  return {
    ...rest,
    ProgramArguments: Array.isArray(command) ? command.slice(0, OWN_ARGUMENTS) : [],
  }
}

/** The shim, `daemon`, `--service`. */
const OWN_ARGUMENTS = 3

function parseOrEmpty(text: string): Dict {
  try {
    return asDict(parse(text))
  } catch {
    return {}
  }
}
