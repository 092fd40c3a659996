import fc from 'fast-check'
import { expect, test } from 'vitest'
import { distinctPrompt, median, wordsFor } from '../../../../src/cli/bench/prompts.ts'

test('two prompts share no long beginning', () => {
  const [one = [], other = []] = [1, 2].map(() => distinctPrompt(200, Math.random).split(' '))
  expect(one).toHaveLength(200)
  const shared = one.findIndex((word, index) => word !== other[index])
  // By chance seventy to the tenth is out of reach.
  expect(shared).toBeLessThan(10)
  expect(shared).toBeGreaterThanOrEqual(0)
})

test('the length in words follows from what the engine counted', () => {
  expect(wordsFor(2048, { words: 256, tokens: 256 })).toBe(2048)
  expect(wordsFor(2048, { words: 256, tokens: 1280 })).toBe(410)
  expect(wordsFor(1, { words: 256, tokens: 1280 })).toBe(1)
})

test('the median is the middle of what is known', () => {
  expect(median([3, null, 1, 2])).toBe(2)
  expect(median([4, 1, 2, 3])).toBe(2.5)
  expect(median([null])).toBeNull()
  fc.assert(
    fc.property(fc.array(fc.integer(), { minLength: 1 }), (values) => {
      const middle = median(values) ?? NaN
      const below = values.filter((value) => value < middle).length
      const above = values.filter((value) => value > middle).length
      expect(Math.max(below, above)).toBeLessThanOrEqual(values.length / 2)
    }),
  )
})
