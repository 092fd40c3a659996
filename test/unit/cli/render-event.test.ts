import { createColors } from 'picocolors'
import { expect, test } from 'vitest'
import { NO_PAINT, type Paint } from '../../../src/cli/paint.ts'
import { renderEvent, timeText } from '../../../src/cli/render-event.ts'
import type { JournalEvent, JournalKind } from '../../../src/journal.ts'

const event: JournalEvent = {
  at: '2026-01-02T03:04:05.678Z',
  kind: 'exit',
  message: 'llama-server crashed (SIGSEGV)',
  hint: 'Run oss20bd logs --engine',
  facts: { cause: 'signal' },
  evidence: ['last\u001B[2J line'],
}
const time = timeText(Date.parse(event.at))

test('an event is one line, with what to do below', () => {
  expect(time).toMatch(/^2026-01-0\d \d\d:\d4:05$/)
  expect(renderEvent(event, NO_PAINT, false)).toEqual([
    `${time} exit           llama-server crashed (SIGSEGV)`,
    '  do         Run oss20bd logs --engine',
  ])
})

test('the evidence comes when asked, and cannot steer the terminal', () => {
  expect(renderEvent({ ...event, hint: null }, NO_PAINT, true).slice(1)).toEqual([
    '  | last\\x1b[2J line',
  ])
})

const colors = createColors(true)
const paint: Paint = {
  ...NO_PAINT,
  good: colors.green,
  warn: colors.yellow,
  bad: colors.red,
  dim: colors.dim,
  strong: colors.bold,
}

test.each([
  ['exit', { cause: 'signal' }, colors.red],
  ['exit', { cause: 'asked' }, colors.bold],
  ['hang', {}, colors.red],
  ['decision', {}, colors.yellow],
  ['state', { to: 'ready' }, colors.green],
  ['state', { to: 'failed' }, colors.red],
  ['state', { to: 'starting' }, colors.bold],
  ['asked', {}, colors.bold],
] as [JournalKind, JournalEvent['facts'], (text: string) => string][])(
  '%s with %j has its colour',
  (kind, facts, dye) => {
    const [line] = renderEvent({ ...event, kind, facts }, paint, false)
    expect(line).toContain(dye(kind.padEnd(14)))
  },
)
