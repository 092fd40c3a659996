import { expect, test } from 'vitest'
import { parseRetryAfter } from '../../../../src/model/download/download-error.ts'

const NOW_MS = Date.parse('Wed, 21 Oct 2026 07:28:00 GMT')

test.each([
  ['nothing', undefined, null],
  ['seconds', '120', 120_000],
  ['at once', '0', 0],
  ['a date', 'Wed, 21 Oct 2026 07:28:30 GMT', 30_000],
  ['a date that is over', 'Wed, 21 Oct 2026 07:00:00 GMT', 0],
  ['nonsense', 'soon', null],
])('Retry-After of %s', (_what, value, waitMs) => {
  expect(parseRetryAfter(value, NOW_MS)).toBe(waitMs)
})
