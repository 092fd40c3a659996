import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { createLogger } from '../../../src/daemon/winston-logger.ts'
import { FakeClock, settle } from '../../helpers/fake-clock.ts'
import { fullDisk } from '../../helpers/full-disk.ts'
import { tempDir } from '../../helpers/temp-dir.ts'

const FIXTURE = fileURLToPath(new URL('../../fixtures/console-logger.mjs', import.meta.url))

interface Line {
  readonly at: string
  readonly level: string
  readonly source: string
  readonly message: string
  readonly [field: string]: unknown
}

function parseLine(text: string): Line {
  const line: Line = JSON.parse(text)
  return line
}

/** Every line of a log and of the files set aside, oldest first. */
async function readLog(folder: string, name: string): Promise<Line[]> {
  const files = (await readdir(folder)).filter((file) => file.startsWith(name))
  const age = (file: string): number => Number(/(\d+)\.log$/.exec(file)?.[1] ?? 0)
  const texts = await Promise.all(
    files.toSorted((a, b) => age(b) - age(a)).map((file) => readFile(`${folder}/${file}`, 'utf8')),
  )
  return texts.flatMap((text) =>
    text
      .split('\n')
      .filter((line) => line !== '')
      .map(parseLine),
  )
}

it('writes the daemon’s lines and the engine’s to files of their own', async () => {
  await using dir = await tempDir()
  const clock = new FakeClock(Date.UTC(2026, 0, 1))
  const logs = createLogger({
    folder: dir.file('logs'),
    level: 'info',
    maxBytes: 1e6,
    keep: 1,
    console: false,
    clock,
  })
  logs.logger.debug('not wanted')
  logs.logger.info('llama-server ready', { pid: 7, message: 'not this' })
  logs.logger.error('%s is no placeholder')
  logs.engineLine('debug', 'not wanted')
  logs.engineLine('warn', 'slow')
  await logs.close()
  logs.logger.info('too late')
  const at = '2026-01-01T00:00:00.000Z'
  expect(await readLog(dir.file('logs'), 'daemon')).toEqual([
    { at, level: 'info', source: 'daemon', message: 'llama-server ready', pid: 7 },
    { at, level: 'error', source: 'daemon', message: '%s is no placeholder' },
  ])
  expect(await readLog(dir.file('logs'), 'engine')).toEqual([
    { at, level: 'warn', source: 'llama-server', message: 'slow' },
  ])
  expect(logs.droppedLines()).toBe(0)
})

it('goes on through a full disk, in bounded memory, and tells afterwards what was lost', async () => {
  await using dir = await tempDir()
  await using disk = await fullDisk(dir, 'daemon.log')
  const clock = new FakeClock()
  const logs = createLogger({
    folder: disk.folder,
    level: 'info',
    maxBytes: 100_000,
    keep: 50,
    console: false,
    clock,
  })
  const text = 'x'.repeat(1000)
  let sent = 0
  while (logs.droppedLines() < 5000) {
    for (let burst = 0; burst < 100; burst += 1) {
      logs.logger.info(text, { number: sent })
      sent += 1
    }
    await settle()
  }
  await disk.free()
  await clock.advance(5000)
  logs.logger.info('after', { number: sent })
  await logs.close()

  const lines = await readLog(disk.folder, 'daemon')
  const own = lines.filter((line) => 'number' in line)
  expect(own.length + logs.droppedLines()).toBe(sent + 1)
  expect(lines.filter(({ message }) => message.startsWith('log '))).toMatchObject([
    { level: 'warn', message: 'log file cannot be written', file: 'daemon.log' },
    { level: 'warn', message: 'log lines were lost', lines: logs.droppedLines() },
  ])
  // The oldest are kept, in order and without a gap.
  const kept = own.filter(({ message }) => message === text)
  expect(kept.map(({ number }) => number)).toEqual(kept.map((_line, index) => index))
})

it('shows people the daemon’s lines and the engine’s warnings, and outlives their pipe', async () => {
  await using dir = await tempDir()
  const child = fork(FIXTURE, [dir.path], { silent: true })
  await once(child, 'message')
  const shown = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  child.send(1)
  expect((await shown.next()).value).toMatch(/^\d\d:\d\d:\d\d warn  llama-server: engine warning$/)
  expect((await shown.next()).value).toMatch(/^\d\d:\d\d:\d\d info  one line number=1$/)
  child.stdout?.destroy()
  for (const number of [2, 3, 4]) {
    const logged = once(child, 'message')
    child.send(number)
    await logged
  }
  child.send('close')
  expect(await once(child, 'exit')).toEqual([0, null])
  const numbers = (await readLog(dir.path, 'daemon')).map(({ number }) => number)
  expect(numbers).toEqual([1, 2, 3, 4])
})
