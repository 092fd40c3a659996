/** The settings as a table. Pure. */
import type { Paint } from './paint.ts'
import { padToWidth, widthOf } from './text-width.ts'

/** One line each: key, value, where it came from. What a person set stands out from the defaults. */
export function renderSettings(
  values: Readonly<Record<string, unknown>>,
  origins: Readonly<Record<string, string>>,
  paint: Paint,
): readonly string[] {
  const rows = Object.entries(values).map(([key, value]) => {
    return { key, text: valueText(value), origin: origins[key] ?? 'unknown' }
  })
  const keyWidth = Math.max(0, ...rows.map(({ key }) => key.length))
  const textWidth = Math.max(0, ...rows.map(({ text }) => widthOf(text)))
  return rows.map(({ key, text, origin }) => {
    const line = `${key.padEnd(keyWidth)}  ${padToWidth(text, textWidth)}  ${origin}`
    return origin === 'default' ? paint.dim(line) : line
  })
}

interface ToldSetting {
  readonly key: string
  readonly value: unknown
  readonly origin: string
  readonly description: string
  readonly allowed: string
  readonly default: unknown
  readonly reason: string
  readonly variable: string
}

/** All about one setting. */
export function renderSetting(told: ToldSetting): readonly string[] {
  return [
    `${told.key} = ${valueText(told.value)}, from: ${told.origin}`,
    told.description,
    `  must be      ${told.allowed}`,
    `  default      ${valueText(told.default)}: ${told.reason}`,
    `  environment  ${told.variable}`,
    `  one start    --set ${told.key}=VALUE`,
  ]
}

function valueText(value: unknown): string {
  return value === null ? '(not set)' : JSON.stringify(value)
}
