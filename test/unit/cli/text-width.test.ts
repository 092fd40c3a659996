import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cutToWidth, padToWidth, widthOf } from '../../../src/cli/text-width.ts'

test.each([
  ['gpt-oss', 7, 'gpt-oss'],
  ['gpt-oss', 6, 'gpt-o…'],
  ['日本語', 6, '日本語'],
  // The third letter would take the sixth column, which the sign of the cut needs.
  ['日本語', 5, '日本…'],
  ['日本語', 4, '日…'],
  ['👨‍👩‍👧 family', 4, '👨‍👩‍👧 …'],
  ['日本', 1, '…'],
  ['日本', 0, ''],
])('%s in %d columns is %s', (text, width, cut) => {
  expect(cutToWidth(text, width)).toBe(cut)
})

test('a cut and padded text takes just its columns, whatever it is', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme' }),
      fc.integer({ min: 0, max: 30 }),
      fc.constantFrom('left', 'right'),
      (text, width, align) => {
        expect(widthOf(padToWidth(cutToWidth(text, width), width, align))).toBe(width)
      },
    ),
  )
})
