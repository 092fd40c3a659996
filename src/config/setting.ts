/** The kinds of settings: how each is written, read and judged. Pure. */
import { z } from 'zod'
import { parseBytes, parseDurationMs } from '../units.ts'

/** How a value is written in an environment variable or a flag, and in which shape the file has it. */
type SettingKind = 'text' | 'path' | 'integer' | 'boolean' | 'list'

export interface Setting<Value> {
  readonly kind: SettingKind
  /** Turns the value as written in the file into the one that `Config` holds. */
  readonly schema: z.ZodType<Value>
  /** What may be written, for people: "must be …". */
  readonly allowed: string
  /** As it would be written in the file; `null` = not set. */
  readonly default: string | number | boolean | readonly string[] | null
  /** Why this default. */
  readonly reason: string
  readonly description: string
}

export interface About {
  readonly default: Setting<unknown>['default']
  readonly reason: string
  readonly description: string
}

/** No timer of Node reaches beyond 24.8 days. */
const MAX_DURATION = '24h'

export function text<Value>(
  schema: z.ZodType<Value>,
  allowed: string,
  about: About,
): Setting<Value> {
  return { kind: 'text', schema, allowed, ...about }
}

export function path(about: About): Setting<string> {
  return { kind: 'path', schema: z.string().trim().min(1), allowed: 'the path of a file', ...about }
}

export function integer(min: number, max: number, about: About): Setting<number> {
  const allowed = `a whole number from ${min} to ${max}`
  return { kind: 'integer', schema: z.int().min(min).max(max), allowed, ...about }
}

/** The same, or `"auto"`. */
export function integerOrAuto(min: number, max: number, about: About): Setting<number | 'auto'> {
  const schema = z.union([z.literal('auto'), z.int().min(min).max(max)])
  return {
    kind: 'integer',
    schema,
    allowed: `"auto" or a whole number from ${min} to ${max}`,
    ...about,
  }
}

export function boolean(about: About): Setting<boolean> {
  return { kind: 'boolean', schema: z.boolean(), allowed: 'true or false', ...about }
}

export function list(
  item: z.ZodType<string>,
  allowed: string,
  about: About,
): Setting<readonly string[]> {
  return { kind: 'list', schema: z.array(item), allowed, ...about }
}

export function duration(min: string, about: About): Setting<number> {
  const allowed = `a duration with a unit (ms, s, min, h) from ${min} to ${MAX_DURATION}`
  return text(durationValue(min), allowed, about)
}

/** A duration of at least `min`, for a setting that may be something else besides. */
export function durationValue(min: string): z.ZodType<number> {
  return quantity(parseDurationMs, min, MAX_DURATION)
}

export function bytes(min: string, max: string, about: About): Setting<number> {
  const allowed = `a size with a unit (MB, GB, MiB, GiB) from ${min} to ${max}`
  return text(quantity(parseBytes, min, max), allowed, about)
}

/** The same setting, which may be left without a value. */
export function optional<Value>(setting: Setting<Value>): Setting<Value | null> {
  return { ...setting, schema: setting.schema.nullable() }
}

function quantity(
  parse: (text: string) => number | null,
  min: string,
  max: string,
): z.ZodType<number> {
  return z.string().transform((written, context) => {
    const value = parse(written)
    if (value !== null && value >= (parse(min) ?? 0) && value <= (parse(max) ?? 0)) return value
    context.addIssue('out of range')
    return z.NEVER
  })
}
