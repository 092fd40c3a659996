/** Lines and numbers out of what tools print, which may be cut anywhere. Pure. */

/** Without what follows the last line feed: half a number looks like a whole one. */
export function wholeLines(text: string): string[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line))
}

/**
 * A whole number of zero or more; null for anything else. Negative numbers of 64 bits that were printed as
 * positive ones are far beyond what a double holds exactly, and so are not taken either.
 */
export function wholeNumber(text: string | undefined): number | null {
  if (text === undefined || !/^\d+$/.test(text)) return null
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : null
}

/** The steps of all macOS tools are of 1024 (`9215 MB` here is `9.0G` there). */
const steps: Readonly<Record<string, number>> = { B: 0, K: 1, M: 2, G: 3, T: 4 }

/** `5154 MB`, `4272 KB`, `753K`, `1024.00M`, `1024,00M`, `0 B` in bytes; null for anything else. */
export function sizeInBytes(text: string): number | null {
  const [, amount, unit] = /^(\d+(?:[.,]\d+)?) ?(B|[KMGT]B?)$/.exec(text) ?? []
  const step = steps[unit?.[0] ?? '']
  if (amount === undefined || step === undefined) return null
  const bytes = Math.round(Number(amount.replace(',', '.')) * 1024 ** step)
  return Number.isSafeInteger(bytes) ? bytes : null
}

/** `12% `, `100%` without the sign: a whole number up to 100. */
export function percent(text: string | undefined): number | null {
  const value = wholeNumber(text)
  return value === null || value > 100 ? null : value
}
