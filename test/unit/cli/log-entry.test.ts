import { expect, test } from 'vitest'
import { formatLogEntry, parseLogLine } from '../../../src/cli/log-entry.ts'
import { NO_PAINT } from '../../../src/cli/paint.ts'

const format = (value: unknown): string =>
  formatLogEntry(parseLogLine(JSON.stringify(value), 'engine'), NO_PAINT)

test('a line says when, how bad, who, what and the facts', () => {
  const at = '2026-01-01T10:00:00.123Z'
  expect(
    format({
      at,
      level: 'warn',
      source: 'llama-server',
      message: 'out of slots',
      pid: 7,
      why: 'too busy',
    }),
  ).toMatch(
    /^\d{4}-\d\d-\d\d \d\d:\d\d:00\.123 warn {2}llama-server out of slots pid=7 why="too busy"$/,
  )
})

test('a line that was cut is shown as it is, and is JSON all the same for scripts', () => {
  const cut = '{"at":"2026-01-01T10:0'
  const entry = parseLogLine(cut, 'daemon')
  expect(entry.atMs).toBeNull()
  expect(formatLogEntry(entry, NO_PAINT)).toContain(cut)
  expect(JSON.parse(entry.raw)).toEqual({ at: null, source: 'daemon', message: cut })
})

test('a line of the shim has a time and is no JSON', () => {
  const at = '2026-01-01T10:00:00Z'
  const entry = parseLogLine(`${at} oss20bd: Cannot start: no Node`, 'launchd.err')
  expect(entry.atMs).toBe(Date.parse(at))
  expect(JSON.parse(entry.raw)).toEqual({
    at,
    source: 'launchd.err',
    message: 'oss20bd: Cannot start: no Node',
  })
})

test('what the engine prints cannot control the terminal', () => {
  expect(format({ message: 'red \u001B[31m and\na line' })).toContain(
    'red \\x1b[31m and\\x0aa line',
  )
})
