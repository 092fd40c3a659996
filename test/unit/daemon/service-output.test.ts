import { appendFile, open, readFile, stat, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { boundServiceOutput } from '../../../src/daemon/service-output.ts'
import { FakeClock, settle } from '../../helpers/fake-clock.ts'
import { RecordingLogger } from '../../helpers/recording-logger.ts'
import { tempDir, type TempDir } from '../../helpers/temp-dir.ts'

interface Bounding {
  readonly clock: FakeClock
  readonly log: RecordingLogger
  readonly stop: () => Promise<void>
}

/** Has looked once. */
async function bounding(dir: TempDir): Promise<Bounding> {
  const clock = new FakeClock()
  const log = new RecordingLogger()
  const ending = new AbortController()
  const options = { folder: dir.path, maxBytes: 10, clock, log }
  const done = boundServiceOutput(options, ending.signal)
  await untilAsleep(clock)
  const stop = async (): Promise<void> => {
    ending.abort()
    await done
  }
  return { clock, log, stop }
}

async function untilAsleep(clock: FakeClock): Promise<void> {
  while (clock.sleeping === 0) await settle()
}

test('a long file is emptied at the start, and what was in it is kept once', async () => {
  await using dir = await tempDir()
  await writeFile(dir.file('launchd.err'), 'more than ten bytes\n')
  await writeFile(dir.file('daemon.out'), 'short\n')
  const { stop, log } = await bounding(dir)
  await stop()
  expect((await stat(dir.file('launchd.err'))).size).toBe(0)
  expect(await readFile(dir.file('launchd1.err'), 'utf8')).toBe('more than ten bytes\n')
  expect(await readFile(dir.file('daemon.out'), 'utf8')).toBe('short\n')
  expect(log.messages()).toEqual(['emptied a file of printed output'])
})

test('while it runs too, and whoever has the file open goes on at its beginning', async () => {
  await using dir = await tempDir()
  const file = await open(dir.file('launchd.err'), 'a')
  const { clock, stop } = await bounding(dir)
  await file.write('more than ten bytes\n')
  await clock.advance(60_000)
  await untilAsleep(clock)
  await file.write('next\n')
  await file.close()
  await stop()
  expect(await readFile(dir.file('launchd.err'), 'utf8')).toBe('next\n')
})

test('trouble is told once, and does not end it', async () => {
  await using dir = await tempDir()
  await appendFile(dir.file('launchd.err'), 'more than ten bytes\n')
  const { clock, log, stop } = await bounding({ ...dir, path: dir.file('launchd.err') })
  await clock.advance(60_000)
  await untilAsleep(clock)
  await stop()
  // One for each file: a file is no folder.
  expect(log.messages('warn')).toEqual([
    'cannot bound a file of printed output',
    'cannot bound a file of printed output',
  ])
})
