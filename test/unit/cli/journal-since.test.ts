import { expect, test } from 'vitest'
import { parseSince } from '../../../src/cli/journal-since.ts'
import type { Oss20bdError } from '../../../src/errors.ts'

const NOW_MS = Date.UTC(2026, 5, 15, 12)

test.each([
  ['90s', NOW_MS - 90_000],
  ['10m', NOW_MS - 600_000],
  ['10 min', NOW_MS - 600_000],
  ['2h', NOW_MS - 7_200_000],
  ['1d', NOW_MS - 86_400_000],
  ['1.5D', NOW_MS - 129_600_000],
  ['1w', NOW_MS - 604_800_000],
  ['2026-06-15', new Date(2026, 5, 15).getTime()],
  ['2026-06-15 07:43', new Date(2026, 5, 15, 7, 43).getTime()],
  ['2026-06-15T07:43:30Z', Date.UTC(2026, 5, 15, 7, 43, 30)],
  ['2026-06-15T07:43:30.5+02:00', Date.UTC(2026, 5, 15, 5, 43, 30, 500)],
])('since %j', (text, expected) => {
  expect(parseSince(text, NOW_MS)).toBe(expected)
})

test.each(['', 'yesterday', '10', '-5m', '10x', '2026-13-01', '2026', '07:43', '5m ago'])(
  'since %j is wrong usage that says what is allowed',
  (text) => {
    const call = (): number => parseSince(text, NOW_MS)
    expect(call).toThrow(`--since ${JSON.stringify(text)} is neither`)
    expect(call).toThrow(
      expect.objectContaining<Partial<Oss20bdError>>({
        code: 'usage',
        hint: expect.stringContaining('10m, 2h, 1d'),
      }),
    )
  },
)
