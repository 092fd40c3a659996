/** Which bytes of a file are there: sorted ranges that do not touch. Pure. */

/** From `start` to just before `end`. */
export type ByteRange = readonly [start: number, end: number]
export type ByteRanges = readonly ByteRange[]

/** `ranges` and `added` as one. */
export function withRange(ranges: ByteRanges, added: ByteRange): ByteRanges {
  const [start, end] = added
  if (start >= end) return ranges
  const before = ranges.filter((range) => range[1] < start)
  const after = ranges.filter((range) => range[0] > end)
  const touching = ranges.slice(before.length, ranges.length - after.length)
  const merged: ByteRange = [
    Math.min(start, touching[0]?.[0] ?? start),
    Math.max(end, touching.at(-1)?.[1] ?? end),
  ]
  return [...before, merged, ...after]
}

/** The first gap in `ranges` below `endByte`, at most `maxBytes` of it; null when there is none. */
export function firstGap(ranges: ByteRanges, endByte: number, maxBytes: number): ByteRange | null {
  let start = 0
  for (const [from, to] of ranges) {
    if (from > start) return [start, Math.min(from, endByte, start + maxBytes)]
    start = to
  }
  return start >= endByte ? null : [start, Math.min(endByte, start + maxBytes)]
}

/** How many bytes from the first one on are there without a gap. */
export function prefixBytes(ranges: ByteRanges): number {
  const [first] = ranges
  return first === undefined || first[0] > 0 ? 0 : first[1]
}

export function totalBytes(ranges: ByteRanges): number {
  return ranges.reduce((sum, [start, end]) => sum + end - start, 0)
}

/** Reads what a state file holds; null unless it is sorted, disjoint and within `sizeBytes`. */
export function parseRanges(value: unknown, sizeBytes: number): ByteRanges | null {
  if (!Array.isArray(value)) return null
  let last = -1
  const ranges: ByteRange[] = []
  for (const item of value) {
    const [start, end]: unknown[] = Array.isArray(item) ? item : []
    if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end)) return null
    if (typeof start !== 'number' || typeof end !== 'number') return null
    if (start <= last || end <= start || end > sizeBytes) return null
    ranges.push([start, end])
    last = end
  }
  return ranges
}
