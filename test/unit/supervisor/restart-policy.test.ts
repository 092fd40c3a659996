import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ExitReason } from '../../../src/engine.ts'
import {
  countDeaths,
  deathsThatCount,
  decideRestart,
} from '../../../src/supervisor/restart-policy.ts'

const settings = {
  baseDelayMs: 1000,
  maxDelayMs: 60_000,
  windowMs: 600_000,
  safeModeAfter: 5,
  giveUpAfter: 3,
  maxContextHalvings: 1,
}
const normal = { safeMode: false, contextHalvings: 0 }
const safe = { safeMode: true, contextHalvings: 0 }
const crash: ExitReason = { cause: 'signal', permanent: false, message: 'died', hint: null }
const noGpuMemory: ExitReason = { ...crash, cause: 'gpu-out-of-memory' }

describe('decideRestart', () => {
  test.each([
    { deaths: 1, delayMs: 0, profile: normal },
    { deaths: 2, delayMs: 1000, profile: normal },
    { deaths: 3, delayMs: 2000, profile: normal },
    { deaths: 4, delayMs: 4000, profile: normal },
    { deaths: 5, delayMs: 8000, profile: safe },
    { deaths: 7, delayMs: 32_000, profile: safe },
  ])('death $deaths is followed by a try in $delayMs ms', ({ deaths, delayMs, profile }) => {
    const verdict = decideRestart(crash, deaths, normal, settings, 0.5)
    expect(verdict).toEqual({ kind: 'restart', delayMs, profile })
  })

  test('the eighth death is the end', () => {
    expect(decideRestart(crash, 8, safe, settings, 0.5)).toEqual({
      kind: 'give-up',
      why: 'it died 8 times, the last ones in safe mode',
    })
  })

  test('a permanent cause is never retried', () => {
    const verdict = decideRestart({ ...crash, permanent: true }, 1, normal, settings, 0.5)
    expect(verdict).toMatchObject({ kind: 'give-up' })
  })

  test('a want of GPU memory halves the context at once while it can, then counts like any death', () => {
    const halved = { safeMode: false, contextHalvings: 1 }
    expect(decideRestart(noGpuMemory, 4, normal, settings, 0.5)).toEqual({
      kind: 'restart',
      delayMs: 0,
      profile: halved,
    })
    expect(decideRestart(noGpuMemory, 4, halved, settings, 0.5)).toEqual({
      kind: 'restart',
      delayMs: 4000,
      profile: halved,
    })
    expect(decideRestart(noGpuMemory, 6, safe, settings, 0.5)).toMatchObject({ profile: safe })
  })

  test('jitter moves a delay by a fifth at most, and never above the longest', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (deaths, jitter) => {
          const many = { ...settings, giveUpAfter: 100 }
          const plain = decideRestart(crash, deaths, normal, many, 0.5)
          const moved = decideRestart(crash, deaths, normal, many, jitter)
          if (plain.kind !== 'restart' || moved.kind !== 'restart') throw new Error('gave up')
          expect(moved.delayMs).toBeGreaterThanOrEqual(Math.floor(plain.delayMs * 0.8))
          expect(moved.delayMs).toBeLessThanOrEqual(Math.ceil(plain.delayMs * 1.2))
          expect(moved.delayMs).toBeLessThanOrEqual(settings.maxDelayMs)
        },
      ),
    )
  })
})

test('a death is forgotten after the window, unless its run never was ready', () => {
  const old = { atMs: 0, wasReady: true }
  const oldStart = { atMs: 0, wasReady: false }
  const young = { atMs: 900_000, wasReady: true }
  const all = [old, oldStart, young]
  expect(deathsThatCount(all, 1_000_000, false, 600_000)).toEqual([oldStart, young])
  expect(deathsThatCount(all, 1_000_000, true, 600_000)).toEqual(all)
})

test('deaths are counted in words', () => {
  const death = { atMs: 0, wasReady: true }
  expect(countDeaths([death], 600_000)).toBe('1 death')
  expect(countDeaths([death, death, death], 600_000)).toBe('3 deaths in 10 min')
})
