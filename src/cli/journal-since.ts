/** What a person says for "since when". Pure. */
import { Oss20bdError } from '../errors.ts'
import { parseDurationMs } from '../units.ts'

const SHORT_UNITS_MS: Readonly<Record<string, number>> = {
  m: 60_000,
  d: 86_400_000,
  w: 604_800_000,
}
const DAY = /^\d{4}-\d{2}-\d{2}$/
const MOMENT = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?$/

/** `10m`, `2h`, `1d` before `nowMs`, or a time of its own, local unless it says its zone. Throws `usage`. */
export function parseSince(text: string, nowMs: number): number {
  const trimmed = text.trim()
  const agoMs = shortDurationMs(trimmed) ?? parseDurationMs(trimmed)
  const atMs = agoMs === null ? momentMs(trimmed) : nowMs - agoMs
  if (!Number.isNaN(atMs)) return atMs
  throw new Oss20bdError(
    'usage',
    `Cannot tell since when: --since ${JSON.stringify(text)} is neither a duration nor a time`,
    { hint: 'Allowed: 90s, 10m, 2h, 1d, 1w, 2026-01-31, 2026-01-31T07:43, 2026-01-31T07:43:30Z' },
  )
}

/** The units that `units.ts` does not know, where `min` must not be taken for `m`. */
function shortDurationMs(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*([mdw])$/i.exec(text)
  const unitMs = SHORT_UNITS_MS[match?.[2]?.toLowerCase() ?? '']
  return match?.[1] === undefined || unitMs === undefined ? null : Number(match[1]) * unitMs
}

function momentMs(text: string): number {
  // A day alone would be taken as UTC, and a person means their own.
  if (DAY.test(text)) return Date.parse(`${text}T00:00:00`)
  return MOMENT.test(text) ? Date.parse(text.replace(' ', 'T')) : NaN
}
