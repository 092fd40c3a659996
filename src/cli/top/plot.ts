/** Numbers over time as rows of blocks. Pure. */

/**
 * `rows` lines from the top down, one column per value. `levels` are the signs from nothing to full. What is known
 * and more than nothing is seen, however little it is; what is unknown is a gap.
 */
export function plot(
  values: readonly (number | null)[],
  rows: number,
  max: number,
  levels: string,
): readonly string[] {
  const signs = levels.split('')
  const steps = signs.length - 1
  const heights = values.map((value) => {
    if (value === null || value <= 0 || max <= 0) return 0
    return Math.max(1, Math.min(rows * steps, Math.round((value / max) * rows * steps)))
  })
  return Array.from({ length: rows }, (_row, index) => {
    const below = (rows - 1 - index) * steps
    return heights
      .map((height) => signs[Math.min(steps, Math.max(0, height - below))] ?? ' ')
      .join('')
  })
}
