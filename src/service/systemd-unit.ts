/** The unit of the service: the template that systemd/ holds, filled in for one user. Pure. */
import { shimFile } from './installed-program.ts'
import type { ServiceSpec } from './service.ts'

/** Enough for the graces of the default config. */
const MIN_STOP_SECONDS = 60
/** The daemon ends by itself first: a SIGKILL by systemd would cut answers without a word. */
const SPARE_SECONDS = 10

/** Seconds between SIGTERM and SIGKILL. */
export function stopSeconds({ stopLimitMs }: Pick<ServiceSpec, 'stopLimitMs'>): number {
  return Math.max(MIN_STOP_SECONDS, Math.ceil(stopLimitMs / 1000) + SPARE_SECONDS)
}

/** The target that starts it. */
export function targetOf({ scope }: Pick<ServiceSpec, 'scope'>): string {
  return scope === 'system' ? 'multi-user.target' : 'default.target'
}

export function fillUnit(spec: ServiceSpec): string {
  const values: Readonly<Record<string, string>> = {
    PROGRAM: quote(escapePercent(shimFile(spec))),
    ARGUMENTS: spec.daemonArgs.map((argument) => ` ${quoteArgument(argument)}`).join(''),
    ENVIRONMENT: Object.entries(spec.environment)
      .map(([name, value]) => quote(escapePercent(`${name}=${value}`)))
      .join(' '),
    USER: escapePercent(spec.user.name),
    STOP_SECONDS: String(stopSeconds(spec)),
    TARGET: targetOf(spec),
  }
  return spec.template
    .split('\n')
    .filter((line) => !line.startsWith('#') && isFor(spec.scope, line))
    .map((line) =>
      line.replaceAll(/\{\{(\w+)\}\}/g, (whole, name: string) => values[name] ?? whole),
    )
    .join('\n')
    .replaceAll(/\n{3,}/g, '\n\n')
    .trimStart()
}

/** Whether a unit of ours runs this shim: one machine may have several homes. */
export function unitRuns(text: string, shim: string): boolean {
  return text.includes(`\nExecStart=${quote(escapePercent(shim))} `)
}

/** The manager of one user can run nothing as somebody else, and refuses a unit that wants it. */
function isFor(scope: ServiceSpec['scope'], line: string): boolean {
  return scope === 'system' || !line.startsWith('User=')
}

/** `%` begins what systemd calls a specifier. */
function escapePercent(text: string): string {
  return text.replaceAll('%', '%%')
}

/** After the program, `$` begins a variable. */
function quoteArgument(text: string): string {
  return quote(escapePercent(text).replaceAll('$', '$$$$'))
}

/** See "Quoting" in systemd.syntax(7): one word, whatever is in it. */
function quote(text: string): string {
  const inside = text.replaceAll(/["\\\n]/g, (special) =>
    special === '\n' ? '\\n' : `\\${special}`,
  )
  return `"${inside}"`
}
