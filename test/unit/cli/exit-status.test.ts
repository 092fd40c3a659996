import { expect, test } from 'vitest'
import { errorCodeOf, exitStatusOf } from '../../../src/cli/exit-status.ts'
import { errorText } from '../../../src/cli/main.ts'
import type { ErrorCode } from '../../../src/errors.ts'
import { Oss20bdError } from '../../../src/errors.ts'

test.each([
  ['usage', 2],
  ['config-invalid', 2],
  ['unsafe-bind', 2],
  ['daemon-not-running', 3],
  ['port-taken', 1],
  ['engine-failed', 1],
  ['timeout', 1],
] as [ErrorCode, number][])('%s ends with status %d', (code, status) => {
  expect(exitStatusOf(new Oss20bdError(code, 'Cannot'))).toBe(status)
})

test('a bug ends with status 1', () => {
  expect(exitStatusOf(new TypeError('x'))).toBe(1)
})

test('a code from another version counts as a failed engine', () => {
  expect(errorCodeOf('port-taken')).toBe('port-taken')
  expect(errorCodeOf('toString')).toBe('engine-failed')
})

test('an error is one line and its hint', () => {
  const error = new Oss20bdError('usage', 'Cannot do X: it is Y', { hint: 'Run Z' })
  expect(errorText(error, false)).toBe('oss20bd: Cannot do X: it is Y\n  Run Z\n')
  expect(errorText(new Oss20bdError('usage', 'Cannot do X'), false)).toBe('oss20bd: Cannot do X\n')
})

test('a bug says that it is one', () => {
  expect(errorText(new TypeError('x is undefined'), false)).toContain(
    'Internal error: x is undefined',
  )
})
