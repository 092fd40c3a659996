/** One thing that is wrong with the config, and all of them as one error. Pure. */
import { Oss20bdError } from '../errors.ts'

export interface ConfigProblem {
  /** `/home/me/config.toml:4`, `OSS20BD_PROXY_PORT`, `--set proxy.port`. */
  readonly where: string
  /** `proxy.port is "abc"` */
  readonly found: string
  /** `must be a whole number from 0 to 65535`, `did you mean proxy.port` */
  readonly allowed: string
}

/** Every problem, one line each. */
export function configError(problems: readonly ConfigProblem[]): Oss20bdError {
  const lines = problems.map(({ where, found, allowed }) => `${where}: ${found}, ${allowed}`)
  const message =
    lines.length === 1
      ? `Cannot use the config: ${lines[0]}`
      : `Cannot use the config: ${lines.length} problems\n${lines.map((line) => `  ${line}`).join('\n')}`
  return new Oss20bdError('config-invalid', message, {
    hint: 'Correct it, then run `oss20bd config` to see what is used',
  })
}

/** A value as the person wrote it, cut to a line's length. */
export function describeValue(value: unknown): string {
  if (value instanceof Date) return 'a date'
  if (Array.isArray(value)) return cut(JSON.stringify(value, stringifyBigInt))
  if (typeof value === 'object' && value !== null) return 'a table'
  if (typeof value === 'string') return cut(JSON.stringify(value))
  return String(value)
}

function stringifyBigInt(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}

function cut(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 77)}...`
}
