import { utimes, writeFile } from 'node:fs/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openFileSource } from '../../../src/cli/log-source.ts'
import { lastEntries } from '../../../src/cli/log-tail.ts'
import { MAX_LINE_BYTES } from '../../../src/log-files.ts'
import { tempDir } from '../../helpers/temp-dir.ts'

/** When every file was last written. */
const writtenAtS = 3

async function tail(
  files: Readonly<Record<string, string>>,
  sources: readonly string[],
  count: number,
): Promise<readonly string[]> {
  await using dir = await tempDir()
  for (const [name, text] of Object.entries(files)) {
    await writeFile(dir.file(name), text)
    await utimes(dir.file(name), writtenAtS, writtenAtS)
  }
  const opened = await Promise.all(sources.map((source) => openFileSource(dir.path, source)))
  const entries = await lastEntries(opened, count)
  await Promise.all(opened.map((source) => source.close()))
  return entries.map((entry) => String(entry.fields['message']))
}

const line = (second: number, message: string): string =>
  `${JSON.stringify({ at: new Date(second * 1000).toISOString(), message })}\n`

test('the lines of both logs come in the order of time', async () => {
  const files = {
    'daemon.log': line(1, 'd1') + line(3, 'd3') + line(5, 'd5'),
    'engine.log': line(2, 'e2') + line(4, 'e4'),
  }
  expect(await tail(files, ['daemon', 'engine'], 4)).toEqual(['e2', 'd3', 'e4', 'd5'])
  expect(await tail(files, ['engine'], 9)).toEqual(['e2', 'e4'])
})

test('rotated files go on where the newest begins', async () => {
  const files = {
    'engine.log': line(5, 'e5'),
    'engine1.log': line(3, 'e3') + line(4, 'e4'),
    'engine2.log': line(1, 'e1') + line(2, 'e2'),
  }
  expect(await tail(files, ['engine'], 4)).toEqual(['e2', 'e3', 'e4', 'e5'])
})

test('a rotation that left no newest file yet hides nothing', async () => {
  expect(await tail({ 'engine1.log': line(1, 'e1') }, ['engine'], 4)).toEqual(['e1'])
})

test('no file and an empty file have no lines', async () => {
  expect(await tail({ 'engine.log': '' }, ['daemon', 'engine'], 4)).toEqual([])
})

test('a line without a time stays with the one that it came after', async () => {
  const files = {
    'daemon.log': `${line(1, 'd1')}cut\n${line(4, 'd4')}`,
    'engine.log': line(2, 'e2'),
  }
  expect(await tail(files, ['daemon', 'engine'], 9)).toEqual(['d1', 'cut', 'e2', 'd4'])
})

test('lines of a log without any time stand, in its order, where it was last written', async () => {
  const files = {
    'daemon.log': line(1, 'd1') + line(2, 'd2') + line(5, 'd5'),
    'launchd.err': 'node: bad option\nsee node --help\n',
    'launchd1.err': 'older\n',
  }
  const all = ['d1', 'd2', 'older', 'node: bad option', 'see node --help', 'd5']
  expect(await tail(files, ['daemon', 'launchd.err'], 9)).toEqual(all)
  expect(await tail(files, ['daemon', 'launchd.err'], 2)).toEqual(all.slice(-2))
})

test('lines before the first time of a log are not later than it', async () => {
  const files = {
    'daemon.log': line(1, 'd1') + line(3, 'd3'),
    'launchd.err': `before\n${new Date(2000).toISOString()} timed\nafter\n`,
  }
  expect(await tail(files, ['daemon', 'launchd.err'], 9)).toEqual([
    'd1',
    'before',
    'timed',
    'after',
    'd3',
  ])
})

test('a long dump without any time is read only as far as it is wanted', async () => {
  const dump = Array.from({ length: 5000 }, (_, index) => `frame ${index}`)
  const files = { 'launchd.err': `${dump.join('\n')}\n` }
  expect(await tail(files, ['launchd.err'], 3)).toEqual(dump.slice(-3))
  expect(await tail(files, ['launchd.err'], 5000)).toEqual(dump)
})

test('a last line that is still being written is left for later', async () => {
  expect(await tail({ 'daemon.log': `${line(1, 'd1')}{"at":"2026` }, ['daemon'], 9)).toEqual(['d1'])
})

test('a line without end is cut', async () => {
  const text = `${'x'.repeat(3 * MAX_LINE_BYTES)}\n`
  const [only] = await tail({ 'daemon.log': text }, ['daemon'], 9)
  expect(only?.length).toBeLessThanOrEqual(MAX_LINE_BYTES + 65_536)
})

test('any lines are read as they were written', async () => {
  const lines = fc.array(
    fc.oneof(fc.string({ unit: 'grapheme', minLength: 1 }), fc.constant('é'.repeat(50_000))),
    { maxLength: 12 },
  )
  await fc.assert(
    fc.asyncProperty(lines, fc.nat(14), async (messages, count) => {
      const text = messages.map((message) => line(1, message)).join('')
      const expected = count === 0 ? [] : messages.slice(-count)
      expect(await tail({ 'daemon.log': text }, ['daemon'], count)).toEqual(expected)
    }),
    { numRuns: 60 },
  )
})
