import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BLOCKS, glyphsFor, LETTERS, memoryBar } from '../../../../src/cli/status/bar.ts'
import { percent } from '../../../../src/cli/status/words.ts'

test.each([
  [{}, BLOCKS],
  [{ LANG: 'ja_JP.UTF-8' }, BLOCKS],
  [{ LANG: 'C' }, LETTERS],
  [{ LANG: 'ja_JP.UTF-8', LC_ALL: 'C' }, LETTERS],
  [{ LANG: 'C', LC_CTYPE: 'en_US.utf8' }, BLOCKS],
])('the locale %j says which signs a terminal can show', (env, glyphs) => {
  expect(glyphsFor(env)).toBe(glyphs)
})

test('more than the budget is a full bar, next to nothing is still seen', () => {
  expect(memoryBar({ usedBytes: 9, plannedBytes: 9, budgetBytes: 3 }, 4, LETTERS).used).toBe('####')
  expect(memoryBar({ usedBytes: 1, plannedBytes: null, budgetBytes: 1e9 }, 4, LETTERS)).toEqual({
    used: '#',
    planned: '',
    free: '...',
  })
})

test('a bar always has its width', () => {
  const bytes = fc.nat(2 ** 31)
  const shares = fc.record({ usedBytes: bytes, plannedBytes: fc.option(bytes), budgetBytes: bytes })
  fc.assert(
    fc.property(shares, fc.integer({ min: 1, max: 80 }), (given, width) => {
      const { used, planned, free } = memoryBar(given, width, LETTERS)
      expect(used.length + planned.length + free.length).toBe(width)
    }),
  )
})

test('a share that is little is not none', () => {
  expect([0, 0.001, 0.01, 1].map((share) => percent(share))).toEqual([
    '0 %',
    'under 1 %',
    '1 %',
    '100 %',
  ])
})
