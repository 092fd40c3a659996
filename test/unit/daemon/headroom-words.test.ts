import { expect, test } from 'vitest'
import { nextOf, reasonOf, type Standing } from '../../../src/daemon/headroom-words.ts'
import type { HeadroomStep } from '../../../src/memory/headroom.ts'
import { createSlotLimit } from '../../../src/daemon/slot-limit.ts'

const calm = { calmAfterMs: 120_000 }

function sign(
  reach: HeadroomStep,
  level: 'tight' | 'critical' = 'tight',
): Standing['signs'][number] {
  return { name: 'stalls', level, reach, words: `${reach} words` }
}

test.each([
  ['ok', [], 'normal', null],
  ['ok', [], 'one-at-a-time', 'requests run side by side again after 2 min of calm'],
  ['ok', [], 'smaller-context', 'the context is doubled again after 2 min of calm'],
  ['ok', [], 'unload', 'the model is loaded again after 2 min of calm, when there is room for it'],
  ['tight', [sign('one-at-a-time')], 'normal', 'pass one request at a time'],
  ['tight', [sign('one-at-a-time')], 'one-at-a-time', null],
  [
    'tight',
    [sign('one-at-a-time'), sign('smaller-context')],
    'recycle',
    'restart the engine with half the context when it is idle',
  ],
  ['tight', [sign('smaller-context')], 'smaller-context', null],
  ['critical', [sign('unload', 'critical')], 'normal', 'unload the model, to spare the machine'],
  ['critical', [sign('unload', 'critical')], 'unload', null],
] as const)('at level %s with %j and step %s the next is: %s', (level, signs, step, next) => {
  expect(nextOf({ level, signs, step }, calm)).toBe(next)
})

test('the reason is what all signs say', () => {
  expect(reasonOf({ signs: [] })).toBeNull()
  expect(reasonOf({ signs: [sign('unload'), sign('recycle')] })).toBe('unload words; recycle words')
})

test('one at a time holds whatever the slots are, and ends with as many as there are then', () => {
  const applied: (number | null)[] = []
  const limit = createSlotLimit((slots) => applied.push(slots))
  limit.setSlots(4)
  limit.setOneAtATime(true)
  limit.setOneAtATime(true)
  limit.setSlots(8)
  limit.setOneAtATime(false)
  expect(applied).toEqual([4, 1, 1, 8])
})
