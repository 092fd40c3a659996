import { expect, test } from 'vitest'
import { deservesMoreTime, deservesPing } from '../../../src/host/watchdog-policy.ts'

const stopLimitMs = 42_000
const beyondMs = stopLimitMs + 30_001

test.each([
  ['any state but stopping', null, false, true],
  ['a stop within its graces', 41_000, false, true],
  ['a slow machine', stopLimitMs + 30_000, false, true],
  ['a stop that outlasts every grace', beyondMs, false, false],
  ['a stop that is known to hang within the system', beyondMs, true, true],
] as const)('%s', (_case, stoppingForMs, isKnownStuck, deserved) => {
  expect(deservesPing({ stoppingForMs, isKnownStuck }, stopLimitMs)).toBe(deserved)
})

test('a daemon that ends gets more time only for as long as its graces last', () => {
  expect(deservesMoreTime(0, stopLimitMs)).toBe(true)
  expect(deservesMoreTime(beyondMs, stopLimitMs)).toBe(false)
})
