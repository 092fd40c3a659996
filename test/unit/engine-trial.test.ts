import { mkdir, readlink, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import {
  currentEngine,
  endTrial,
  engineBefore,
  putInUse,
  readTrial,
} from '../../src/engine-trial.ts'
import { tempDir, type TempDir } from '../helpers/temp-dir.ts'

const how = { begunAt: '2026-11-24T00:00:00.000Z', earlierTokensPerSecond: 40 }

async function withEngines(dir: TempDir, ...names: readonly string[]): Promise<void> {
  for (const name of names) await mkdir(dir.file(name))
}

test('the first engine is put in use without a trial: nothing could come back', async () => {
  await using dir = await tempDir()
  await withEngines(dir, 'a')
  expect(await currentEngine(dir.path)).toBeNull()
  expect(await putInUse(dir.path, 'a', how)).toBeNull()
  expect(await readlink(dir.file('current'))).toBe('a')
  expect(await readTrial(dir.path)).toBeNull()
  expect(await engineBefore(dir.path)).toBeNull()
})

test('a second one is on trial, and the first one is the one to go back to', async () => {
  await using dir = await tempDir()
  await withEngines(dir, 'a', 'b')
  await putInUse(dir.path, 'a', how)
  const trial = await putInUse(dir.path, 'b', how)
  expect(trial).toEqual({ engine: 'b', earlier: 'a', ...how, outcome: 'running', why: null })
  expect(await readTrial(dir.path)).toEqual(trial)
  // The one in use is no change, and no new trial.
  expect(await putInUse(dir.path, 'b', { ...how, begunAt: 'later' })).toEqual(trial)
  expect(await engineBefore(dir.path)).toBe('a')
})

test('one that is kept can still be given up by hand, one that was given up cannot', async () => {
  await using dir = await tempDir()
  await withEngines(dir, 'a', 'b')
  await putInUse(dir.path, 'a', how)
  const trial = await putInUse(dir.path, 'b', how)
  const kept = await endTrial(dir.path, trial!, 'kept', null)
  expect(await currentEngine(dir.path)).toBe('b')
  expect(await engineBefore(dir.path)).toBe('a')
  await endTrial(dir.path, kept, 'rolled-back', 'as asked')
  expect(await currentEngine(dir.path)).toBe('a')
  expect(await readTrial(dir.path)).toMatchObject({ outcome: 'rolled-back', why: 'as asked' })
  expect(await engineBefore(dir.path)).toBeNull()
})

test('a record that does not fit what is in use means nothing', async () => {
  await using dir = await tempDir()
  await withEngines(dir, 'a', 'b', 'c')
  await putInUse(dir.path, 'a', how)
  const trial = await putInUse(dir.path, 'b', how)
  await putInUse(dir.path, 'c', how)
  await writeFile(dir.file('trial.json'), JSON.stringify(trial))
  expect(await readTrial(dir.path)).toBeNull()
  expect(await engineBefore(dir.path)).toBeNull()
})

test.each([
  ['nothing', ''],
  ['half a record', '{"engine":"b"'],
  [
    'a path',
    JSON.stringify({ engine: 'b', earlier: '../x', ...how, outcome: 'running', why: null }),
  ],
  ['a word that we do not know', JSON.stringify({ engine: 'b', earlier: 'a', outcome: 'maybe' })],
])('a record with %s is none', async (_what, text) => {
  await using dir = await tempDir()
  await withEngines(dir, 'b')
  await putInUse(dir.path, 'b', how)
  await writeFile(dir.file('trial.json'), text)
  expect(await readTrial(dir.path)).toBeNull()
})
