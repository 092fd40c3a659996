import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decideRestart, recentDeaths } from '../../../src/supervisor/restart-policy.ts'

const settings = { baseDelayMs: 1000, maxDelayMs: 60_000, windowMs: 600_000, maxDeaths: 8 }

describe('decideRestart', () => {
  test.each([
    { deaths: 1, delayMs: 0 },
    { deaths: 2, delayMs: 1000 },
    { deaths: 3, delayMs: 2000 },
    { deaths: 4, delayMs: 4000 },
    { deaths: 8, delayMs: 60_000 },
  ])('it waits $delayMs ms after death $deaths', ({ deaths, delayMs }) => {
    expect(decideRestart(false, deaths, settings, 0.5)).toEqual({ kind: 'restart', delayMs })
  })

  test('it gives up after more deaths than the window survives', () => {
    expect(decideRestart(false, 9, settings, 0.5)).toMatchObject({ kind: 'give-up' })
  })

  test('it never retries a permanent cause', () => {
    expect(decideRestart(true, 1, settings, 0.5)).toMatchObject({ kind: 'give-up' })
  })

  test('jitter moves a delay by a fifth at most', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 8 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (deaths, jitter) => {
          const plain = decideRestart(false, deaths, settings, 0.5)
          const moved = decideRestart(false, deaths, settings, jitter)
          if (plain.kind !== 'restart' || moved.kind !== 'restart') throw new Error('gave up')
          expect(moved.delayMs).toBeGreaterThanOrEqual(Math.floor(plain.delayMs * 0.8))
          expect(moved.delayMs).toBeLessThanOrEqual(Math.ceil(plain.delayMs * 1.2))
        },
      ),
    )
  })
})

test('recentDeaths forgets what is older than the window', () => {
  expect(recentDeaths([0, 400_000, 900_000], 1_000_000, 600_000)).toEqual([900_000])
})
