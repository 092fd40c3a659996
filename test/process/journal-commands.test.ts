/** `oss20bd events` and `oss20bd why` as real children, with and without a daemon. */
import { appendFile, readdir } from 'node:fs/promises'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { openJournal, type Journal } from '../../src/daemon/journal.ts'
import type { NewJournalEvent } from '../../src/journal.ts'
import { binFile } from '../helpers/cli.ts'
import { sendJson, startControlStandIn } from '../helpers/control-stand-in.ts'
import { makeStatus } from '../helpers/status.ts'
import { tempDir, type TempDir } from '../helpers/temp-dir.ts'

function run(home: string, ...args: readonly string[]) {
  return execa(process.execPath, [binFile, ...args], {
    env: { OSS20BD_HOME: home, OSS20BD_CACHE: `${home}/cache` },
    reject: false,
  })
}

const openIn = (dir: TempDir, maxBytes = 1e6): Promise<Journal> =>
  openJournal({
    folder: dir.file('logs'),
    clock: systemClock,
    maxBytes,
    onTrouble: () => undefined,
    onLost: () => undefined,
  })

async function written(dir: TempDir, ...events: readonly NewJournalEvent[]): Promise<void> {
  const journal = await openIn(dir)
  for (const event of events) journal.write(event)
  await journal.close()
}

const started: NewJournalEvent = { kind: 'daemon-started', message: 'The daemon started' }
const crashed: NewJournalEvent = {
  kind: 'exit',
  message: 'llama-server crashed (SIGSEGV)',
  hint: 'Run oss20bd logs --engine',
  facts: { cause: 'signal' },
  evidence: ['the last line'],
}
const gaveUp: NewJournalEvent = { kind: 'decision', message: 'Gave up after 8 deaths in 10 min' }

test('events are told without a daemon, the evidence when asked', async () => {
  await using dir = await tempDir()
  await written(dir, started, crashed)
  const plain = await run(dir.path, 'events')
  expect(plain).toMatchObject({ exitCode: 0, stderr: '' })
  expect(plain.stdout.split('\n')).toEqual([
    expect.stringMatching(/^[\d-]+ [\d:]+ daemon-started The daemon started$/),
    expect.stringMatching(/^[\d-]+ [\d:]+ exit {11}llama-server crashed \(SIGSEGV\)$/),
    '  do         Run oss20bd logs --engine',
  ])
  const { stdout } = await run(dir.path, 'events', '-n', '1', '--evidence')
  expect(stdout.split('\n').at(-1)).toBe('  | the last line')
})

test('events --json is one event per line, whole', async () => {
  await using dir = await tempDir()
  await written(dir, started, crashed)
  const { stdout } = await run(dir.path, 'events', '--json', '--since', '1h')
  expect(stdout.split('\n').map((line): unknown => JSON.parse(line))).toMatchObject([
    started,
    crashed,
  ])
})

test('no events is one line that says where it looked', async () => {
  await using dir = await tempDir()
  const none = await run(dir.path, 'events')
  expect(none).toMatchObject({ exitCode: 0, stdout: '' })
  expect(none.stderr).toBe(`No events in ${dir.file('logs', 'journal.log')}`)
  await written(dir, started)
  const later = await run(dir.path, 'events', '--since', '2126-01-01')
  expect(later.stderr).toMatch(/^No events since 2126-01-01 00:00:00 in \//)
})

test.each([
  [['--since', 'yesterday'], 'neither a duration nor a time', '10m, 2h, 1d'],
  [['-n', '-1'], 'a whole number from 0', 'oss20bd events -n 100'],
])('events %j is wrong usage', async (args, message, hint) => {
  await using dir = await tempDir()
  const { exitCode, stdout, stderr } = await run(dir.path, 'events', ...args)
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
  expect(stderr).toContain(message)
  expect(stderr).toContain(hint)
})

test('events -f goes on across rotations and over a line that was cut', async () => {
  await using dir = await tempDir()
  await written(dir, started)
  const child = run(dir.path, 'events', '-f', '--json')
  const lines = child.iterable()[Symbol.asyncIterator]()
  const next = async (): Promise<unknown> => {
    const event: { message: unknown } = JSON.parse(String((await lines.next()).value))
    return event.message
  }
  expect(await next()).toBe('The daemon started')
  await appendFile(dir.file('logs', 'journal.log'), '{"at":"2026-01-0')
  const journal = await openIn(dir, 400)
  for (let number = 0; number < 10; number += 1) {
    journal.write({ kind: 'state', message: `number ${number}` })
    expect(await next()).toBe(`number ${number}`)
  }
  await journal.close()
  expect(await readdir(dir.file('logs'))).toContain('journal1.log')
  child.kill('SIGINT')
  expect((await child).signal).toBe('SIGINT')
})

test('why without a daemon says how the last one ended, and ends with 0', async () => {
  await using dir = await tempDir()
  const never = await run(dir.path, 'why')
  expect(never).toMatchObject({ exitCode: 0, stderr: '' })
  expect(never.stdout).toContain('not running')
  await written(dir, started, crashed)
  const killed = await run(dir.path, 'why')
  expect(killed.exitCode).toBe(0)
  expect(killed.stdout).toContain('the daemon ended without a word')
  expect(killed.stdout).toContain('  | the last line')
  await written(dir, { kind: 'daemon-stopped', message: 'The daemon stopped' })
  const { stdout } = await run(dir.path, 'why', '--json')
  expect(JSON.parse(stdout)).toMatchObject({
    state: 'not-running',
    message: 'the daemon ended in good order',
    hint: 'Start it: oss20bd start',
  })
})

test('why tells state, reason, evidence and what to do', async () => {
  await using dir = await tempDir()
  await written(dir, started, crashed, gaveUp)
  const status = makeStatus({ engine: { state: 'failed', detail: 'gave up: it crashed' } })
  const daemon = await startControlStandIn(dir.file('run', 'control.sock'), (_asked, response) =>
    sendJson(response, status),
  )
  try {
    const { exitCode, stdout } = await run(dir.path, 'why')
    expect(exitCode).toBe(0)
    const parts = [
      /^failed for 3 min 12 s, since [\d-]+ [\d:]+: gave up: it crashed\n/,
      /\nWhy\n.*daemon-started.*\n.* exit .*crashed \(SIGSEGV\)\n.* decision .*Gave up/,
      /\nEvidence\n {2}\| the last line\n/,
      /\nWhat to do\n {2}Run oss20bd logs --engine; then: oss20bd restart$/,
    ]
    for (const part of parts) expect(stdout).toMatch(part)
    const json = await run(dir.path, 'why', '--json')
    expect(JSON.parse(json.stdout)).toMatchObject({
      state: 'failed',
      message: 'gave up: it crashed',
      story: [started, crashed, gaveUp],
      evidence: ['the last line'],
    })
    expect(daemon.asked).toEqual(['GET /status', 'GET /status'])
  } finally {
    await daemon.close()
  }
})
