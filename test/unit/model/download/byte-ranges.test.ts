import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type ByteRange,
  type ByteRanges,
  firstGap,
  parseRanges,
  prefixBytes,
  totalBytes,
  withRange,
} from '../../../../src/model/download/byte-ranges.ts'

const SIZE = 40
const range = fc
  .tuple(fc.integer({ min: 0, max: SIZE }), fc.integer({ min: 0, max: SIZE }))
  .map(([one, other]): ByteRange => [Math.min(one, other), Math.max(one, other)])
const NONE: ByteRanges = []

test('ranges added in any order are what a plain list of bytes says', () => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: 12 }), (added) => {
      const bytes = Array.from({ length: SIZE }, (_, at) =>
        added.some(([start, end]) => at >= start && at < end),
      )
      const ranges = added.reduce(withRange, NONE)
      expect(totalBytes(ranges)).toBe(bytes.filter(Boolean).length)
      const gap = bytes.indexOf(false)
      expect(prefixBytes(ranges)).toBe(gap === -1 ? SIZE : gap)
      expect(firstGap(ranges, SIZE, 1)?.[0] ?? -1).toBe(gap)
      expect(parseRanges(JSON.parse(JSON.stringify(ranges)), SIZE)).toEqual(ranges)
    }),
  )
})

test('gaps taken one after the other fill the file exactly', () => {
  fc.assert(
    fc.property(
      fc.array(range, { maxLength: 6 }),
      fc.integer({ min: 1, max: 9 }),
      (added, most) => {
        let ranges = added.reduce(withRange, NONE)
        for (
          let gap = firstGap(ranges, SIZE, most);
          gap !== null;
          gap = firstGap(ranges, SIZE, most)
        ) {
          expect(gap[1] - gap[0]).toBeLessThanOrEqual(most)
          const before = totalBytes(ranges)
          ranges = withRange(ranges, gap)
          expect(totalBytes(ranges)).toBe(before + gap[1] - gap[0])
        }
        expect(ranges).toEqual([[0, SIZE]])
      },
    ),
  )
})

test.each([
  'x',
  [[0]],
  [[0, 41]],
  [[5, 5]],
  [
    [3, 9],
    [0, 2],
  ],
  [
    [0, 3],
    [3, 5],
  ],
  [[0, 1.5]],
  [[-1, 2]],
  [['0', '2']],
])('%j is no note of ranges', (value) => {
  expect(parseRanges(value, SIZE)).toBeNull()
})
