import { expect, test } from 'vitest'
import { createToday } from '../../../src/daemon/today.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

const HOUR_MS = 3_600_000
const noon = new Date(2026, 0, 1, 12).getTime()
const ended = (
  outcome: 'answered' | 'refused' | 'failed' | 'broken' | 'client-gone',
  tokens = 0,
) => ({
  outcome,
  tokens: { generatedTokens: tokens },
})

test('the requests of today are counted from the start of the daemon, then from midnight on', async () => {
  const clock = new FakeClock(noon)
  const today = createToday(clock)
  today.count(ended('answered', 10))
  today.count({ outcome: 'answered', tokens: null })
  for (const outcome of ['refused', 'failed', 'broken', 'client-gone'] as const)
    today.count(ended(outcome, 1))
  expect(today.view()).toEqual({
    since: new Date(noon).toISOString(),
    answered: 2,
    refused: 1,
    failed: 2,
    generatedTokens: 14,
  })
  await clock.advance(11 * HOUR_MS)
  expect(today.view().answered).toBe(2)
  await clock.advance(2 * HOUR_MS)
  const none = { answered: 0, refused: 0, failed: 0, generatedTokens: 0 }
  expect(today.view()).toEqual({ since: new Date(2026, 0, 2).toISOString(), ...none })
  today.count(ended('answered'))
  expect(today.view().answered).toBe(1)
})
