import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BLOCKS } from '../../../../src/cli/status/bar.ts'
import { shareRows } from '../../../../src/cli/top/layout.ts'
import { plot } from '../../../../src/cli/top/plot.ts'
import { repaint } from '../../../../src/cli/top/repaint.ts'
import { series, STEP_MS } from '../../../../src/cli/top/samples.ts'
import { NOW_MS, sample } from './scene.ts'

test('a plot grows from the bottom, and shows the least that is more than nothing', () => {
  expect(plot([0, 1, 50, 75, 100, 500, null], 2, 100, BLOCKS.levels)).toEqual([
    '   ▄██ ',
    ' ▁████ ',
  ])
  expect(plot([1], 1, 0, BLOCKS.levels)).toEqual([' '])
})

test('a column is the mean of its ten seconds, and a gap where nothing is known', () => {
  const samples = [
    sample(NOW_MS - 2 * STEP_MS, 10, null),
    sample(NOW_MS, 20, 5),
    sample(NOW_MS + 2000, 40, null),
    sample(NOW_MS - 100 * STEP_MS, 99, 99),
    sample(NOW_MS + 100 * STEP_MS, 99, 99),
  ]
  expect(series(samples, 'footprintBytes', 4, NOW_MS)).toEqual([null, 10, null, 30])
  expect(series(samples, 'generatedPerSecond', 2, NOW_MS)).toEqual([null, 5])
})

describe('repaint', () => {
  test('writes only the lines that changed', () => {
    expect(repaint(['a', 'b', 'c'], ['a', 'x', 'c'])).toBe(
      '\u001B[?2026h\u001B[2;1H\u001B[2Kx\u001B[?2026l',
    )
    expect(repaint(['a'], ['a'])).toBe('')
  })

  test('clears what is gone', () => {
    expect(repaint(['a', 'b'], ['a'])).toContain('\u001B[2;1H\u001B[2K\u001B[?2026l')
  })
})

test('no terminal gets more rows than it has', () => {
  const rows = fc.nat(300)
  const wishes = fc.record({
    fixed: fc.nat(8),
    slots: fc.nat(64),
    requests: fc.nat(60),
    events: fc.nat(200),
    log: rows,
  })
  fc.assert(
    fc.property(rows, wishes, fc.boolean(), (given, wanted, isWide) => {
      const { plot: plotRows, slots, requests, events, log } = shareRows(given, wanted, isWide)
      const plots = isWide ? 1 + plotRows : 2 * (1 + plotRows)
      const taken = wanted.fixed + plots + slots + requests + events + log
      expect(taken).toBeLessThanOrEqual(Math.max(given, wanted.fixed + plots))
    }),
  )
})
