import { appendFile, mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { openJournal, type Journal } from '../../../src/daemon/journal.ts'
import { lastEvents } from '../../../src/journal-files.ts'
import type { NewJournalEvent } from '../../../src/journal.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { tempDir } from '../../helpers/temp-dir.ts'

interface Opened {
  readonly clock: FakeClock
  readonly journal: Journal
  readonly told: readonly string[]
}

async function opened(folder: string, more: { maxBytes?: number } = {}): Promise<Opened> {
  const clock = new FakeClock()
  const told: string[] = []
  const journal = await openJournal({
    folder,
    clock,
    onTrouble: (reason) => told.push(`trouble ${reason}`),
    onLost: (events) => told.push(`lost ${events}`),
    ...more,
  })
  return { clock, journal, told }
}

async function written(folder: string, ...events: readonly NewJournalEvent[]): Promise<void> {
  const { journal } = await opened(folder)
  for (const event of events) journal.write(event)
  await journal.close()
}

const started: NewJournalEvent = { kind: 'daemon-started', message: 'The daemon started' }
const stopped: NewJournalEvent = { kind: 'daemon-stopped', message: 'The daemon stopped' }

test('an event gets its time and all that a reader relies on', async () => {
  await using dir = await tempDir()
  await written(dir.path, started)
  expect(await lastEvents(dir.path, 9)).toEqual([
    {
      at: '2026-01-01T00:00:00.000Z',
      kind: 'daemon-started',
      message: 'The daemon started',
      hint: null,
      facts: {},
      evidence: [],
    },
  ])
})

test('the journal is one line per event and goes on after a restart of the daemon', async () => {
  await using dir = await tempDir()
  await written(dir.path, started, { kind: 'exit', message: 'a\nb', evidence: ['c\nd'] })
  await written(dir.path, stopped)
  expect((await readFile(dir.file('journal.log'), 'utf8')).trimEnd().split('\n')).toHaveLength(3)
  const kinds = (await lastEvents(dir.path, 9)).map(({ kind }) => kind)
  expect(kinds).toEqual(['daemon-started', 'exit', 'daemon-stopped'])
})

test('evidence is cut to the last 60 lines of 300 characters, facts to 300, sentences to 1000', async () => {
  await using dir = await tempDir()
  await written(dir.path, {
    kind: 'exit',
    message: 'm'.repeat(5000),
    hint: 'h'.repeat(5000),
    facts: { text: 'f'.repeat(5000), count: 7, none: null, yes: true },
    evidence: Array.from({ length: 100 }, (_, index) => `${index} ${'x'.repeat(5000)}`),
  })
  const [event] = await lastEvents(dir.path, 1)
  expect(event?.message).toHaveLength(1000)
  expect(event?.hint).toHaveLength(1000)
  expect(event?.facts).toMatchObject({ count: 7, none: null, yes: true })
  expect(String(event?.facts['text'])).toHaveLength(300)
  expect(event?.evidence).toHaveLength(60)
  expect(event?.evidence[0]).toMatch(/^40 x+…$/)
  expect(event?.evidence.map((line) => line.length)).toEqual(Array(60).fill(300))
})

test('the files stay within their size, the newest events in them', async () => {
  await using dir = await tempDir()
  const { journal } = await opened(dir.path, { maxBytes: 2000 })
  for (let index = 0; index < 100; index += 1) {
    journal.write({ kind: 'state', message: `number ${index}` })
  }
  await journal.close()
  expect((await readdir(dir.path)).toSorted()).toEqual(['journal.log', 'journal1.log'])
  const sizes = await Promise.all(
    ['journal.log', 'journal1.log'].map(async (name) => (await stat(dir.file(name))).size),
  )
  expect(Math.max(...sizes)).toBeLessThanOrEqual(2000)
  const messages = (await lastEvents(dir.path, 99)).map(({ message }) => message)
  expect(messages.at(-1)).toBe('number 99')
  expect(messages).toEqual(messages.map((_, index) => `number ${100 - messages.length + index}`))
})

test('a line that a power loss cut is skipped and does not swallow the next event', async () => {
  await using dir = await tempDir()
  await written(dir.path, started)
  await appendFile(dir.file('journal.log'), '{"at":"2026-01-01T00:00:00.000Z","kind":"ex')
  const { journal } = await opened(dir.path)
  expect(journal.past.lastEvent?.kind).toBe('daemon-started')
  journal.write(stopped)
  await journal.close()
  const kinds = (await lastEvents(dir.path, 9)).map(({ kind }) => kind)
  expect(kinds).toEqual(['daemon-started', 'daemon-stopped'])
})

test.each([
  ['no journal', [], null, null],
  ['one that ends in good order', [started, stopped], true, Date.UTC(2026, 0, 1)],
  ['one that ends in the middle', [stopped, started], false, Date.UTC(2026, 0, 1)],
] as const)('%s is told when it is opened', async (_what, events, endedCleanly, lastAliveMs) => {
  await using dir = await tempDir()
  await written(dir.path, ...events)
  const { journal } = await opened(dir.path)
  await journal.close()
  expect(journal.past).toMatchObject({ endedCleanly, lastAliveMs })
})

test('the last event is found in the file set aside when the newest is empty', async () => {
  await using dir = await tempDir()
  const line = JSON.stringify({ at: '2026-01-01T00:00:00Z', ...stopped, hint: null, facts: {} })
  await writeFile(dir.file('journal1.log'), `${line.slice(0, -1)},"evidence":[]}\n`)
  await writeFile(dir.file('journal.log'), '')
  const { journal } = await opened(dir.path)
  await journal.close()
  expect(journal.past.endedCleanly).toBe(true)
})

test('what the engine said after the last event shows that the daemon lived on', async () => {
  await using dir = await tempDir()
  await written(dir.path, started)
  await writeFile(dir.file('engine.log'), '')
  const laterMs = Date.UTC(2026, 0, 1, 5)
  await utimes(dir.file('engine.log'), laterMs / 1000, laterMs / 1000)
  const { journal } = await opened(dir.path)
  await journal.close()
  expect(journal.past.lastAliveMs).toBe(laterMs)
})

test('a journal that cannot be read or written stops nobody', async () => {
  await using dir = await tempDir()
  await mkdir(dir.file('journal.log'))
  const { journal, told } = await opened(dir.path)
  expect(journal.past).toEqual({ lastEvent: null, endedCleanly: null, lastAliveMs: null })
  journal.write(started)
  await journal.close()
  journal.write(stopped)
  expect(told).toEqual([expect.stringContaining('EISDIR'), 'trouble EISDIR'])
  expect(journal.lostEvents()).toBe(1)
})
