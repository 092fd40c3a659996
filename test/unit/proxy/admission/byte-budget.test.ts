import { expect, test } from 'vitest'
import { ByteBudget } from '../../../../src/proxy/admission/byte-budget.ts'

test('what does not fit takes nothing; what is given back fits again', () => {
  const budget = new ByteBudget(10)
  expect(budget.take(6)).toBe(true)
  expect(budget.hasRoomFor(5)).toBe(false)
  expect(budget.take(5)).toBe(false)
  expect(budget.keptBytes).toBe(6)
  expect(budget.take(4)).toBe(true)
  budget.giveBack(6)
  expect(budget.take(6)).toBe(true)
  expect(budget.keptBytes).toBe(10)
})
