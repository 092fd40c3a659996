import { expect, test } from 'vitest'
import { overlapOf } from '../../../../src/daemon/dashboard/feed.ts'
import type { NewJournalEvent } from '../../../../src/journal.ts'

const events = (...messages: readonly string[]): readonly NewJournalEvent[] =>
  messages.map((message) => ({ kind: 'state', message }))

test.each([
  [[], [], 0],
  [['a', 'b'], [], 0],
  [['a', 'b'], ['c'], 0],
  [['a', 'b'], ['b', 'c'], 1],
  [['a', 'b', 'c'], ['b', 'c'], 2],
  [['b', 'c'], ['a', 'b', 'c'], 0],
  [['a', 'a'], ['a', 'a', 'a'], 2],
])('of %j in the file and %j told since, %i are the same', (past, told, same) => {
  expect(overlapOf(events(...past), events(...told))).toBe(same)
})
