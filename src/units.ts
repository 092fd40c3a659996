/** Bytes and durations to and from text, for people only. Pure. */

const BYTE_UNITS: Record<string, number> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
}

const DURATION_UNITS_MS: Record<string, number> = {
  ms: 1,
  s: 1000,
  min: 60_000,
  h: 3_600_000,
}

/** `"4 GiB"` to bytes, or `null` when the text is not a size with a unit. */
export function parseBytes(text: string): number | null {
  return parseQuantity(text, BYTE_UNITS)
}

/** `"90s"`, `"10 min"` to milliseconds, or `null` when the text is not a duration with a unit. */
export function parseDurationMs(text: string): number | null {
  return parseQuantity(text, DURATION_UNITS_MS)
}

function parseQuantity(text: string, units: Record<string, number>): number | null {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*$/i.exec(text)
  const unit = match?.[2] === undefined ? undefined : units[match[2].toLowerCase()]
  if (match?.[1] === undefined || unit === undefined) return null
  return Math.round(Number(match[1]) * unit)
}

/** Bytes as `1.4 MiB`, `12.1 GiB`; whole numbers below 1 KiB. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes
  let index = 0
  while (value >= 1024 && index < units.length - 1) {
    value /= 1024
    index += 1
  }
  return `${index === 0 ? value : value.toFixed(1)} ${units[index]}`
}

/** Milliseconds as the two largest units, without a second one that is 0: `850 ms`, `4.2 s`, `10 min`, `2 h 5 min`, `3 d 4 h`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 1000) return `${Math.round(durationMs)} ms`
  if (durationMs < 60_000) return `${Math.floor(durationMs / 100) / 10} s`
  const seconds = Math.floor(durationMs / 1000)
  if (seconds < 3600) return twoUnits(seconds, 60, 'min', 's')
  const minutes = Math.floor(seconds / 60)
  if (minutes < 1440) return twoUnits(minutes, 60, 'h', 'min')
  return twoUnits(Math.floor(minutes / 60), 24, 'd', 'h')
}

function twoUnits(amount: number, size: number, big: string, small: string): string {
  const rest = amount % size
  return `${Math.floor(amount / size)} ${big}${rest === 0 ? '' : ` ${rest} ${small}`}`
}
