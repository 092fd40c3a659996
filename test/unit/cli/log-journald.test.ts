import { writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import type { LogEntry } from '../../../src/cli/log-entry.ts'
import { openJournaldSource, parseJournaldLine } from '../../../src/cli/log-journald.ts'
import { lastEntries } from '../../../src/cli/log-tail.ts'
import { tempDir } from '../../helpers/temp-dir.ts'

const atMs = Date.UTC(2026, 0, 1)

/** As `journalctl --output=json` writes it. */
function object(second: number, fields: Readonly<Record<string, unknown>>): string {
  const at = String((atMs + second * 1000) * 1000)
  return JSON.stringify({
    __CURSOR: 's=1;i=1',
    __REALTIME_TIMESTAMP: at,
    __MONOTONIC_TIMESTAMP: '1',
    _BOOT_ID: 'b',
    ...fields,
  })
}

test.each([
  ['3', 'error'],
  ['4', 'warn'],
  ['6', 'info'],
  ['7', 'debug'],
  [undefined, 'info'],
])('a message of priority %s is shown as %s', (PRIORITY, level) => {
  const line = object(1, { MESSAGE: 'Started', SYSLOG_IDENTIFIER: 'systemd', PRIORITY })
  const entry = parseJournaldLine(line)
  expect(entry.atMs).toBe(atMs + 1000)
  expect(JSON.parse(entry.raw)).toEqual({
    at: '2026-01-01T00:00:01.000Z',
    level,
    source: 'systemd',
    message: 'Started',
  })
})

test('a message that is no clean text comes as its bytes', () => {
  const { fields } = parseJournaldLine(object(1, { MESSAGE: [...Buffer.from('é\u0007')] }))
  expect(fields).toMatchObject({ source: 'journald', message: 'é\u0007' })
})

test.each(['', 'null', '[]', '{"MESSAGE":null}', 'No journal files were found.'])(
  'what is no entry is shown as it is: %s',
  (line) => {
    expect(parseJournaldLine(line)).toMatchObject({ atMs: null, fields: { message: line } })
  },
)

interface Told {
  readonly messages: readonly unknown[]
  readonly troubles: readonly string[]
}

/** A journalctl that is this script. */
async function withJournalctl(script: string, count: number): Promise<Told> {
  await using dir = await tempDir()
  await writeFile(dir.file('journalctl'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  return ask({ PATH: `${dir.path}:/usr/bin:/bin` }, count)
}

async function ask(env: Readonly<Record<string, string>>, count: number): Promise<Told> {
  const troubles: string[] = []
  const onTrouble = (reason: string): void => void troubles.push(reason)
  const source = openJournaldSource({ unitArg: '--user-unit=x.service', env, count, onTrouble })
  const entries = await lastEntries([source], count)
  return { messages: entries.map(({ fields }) => fields['message']), troubles }
}

test('the newest lines of the unit are asked for', async () => {
  const both = `${object(2, { MESSAGE: 'second' })}\n${object(1, { MESSAGE: 'first' })}`
  const told = await withJournalctl(
    `[ "$1 $2 $3" = '--user-unit=x.service --lines=7 --reverse' ] || exit 9
cat <<'end'\n${both}\nend`,
    7,
  )
  expect(told).toEqual({ messages: ['first', 'second'], troubles: [] })
})

test('it is ended as soon as there are enough lines', async () => {
  const line = object(1, { MESSAGE: 'again' })
  const told = await withJournalctl(`while :; do echo '${line}'; done`, 2)
  expect(told).toEqual({ messages: ['again', 'again'], troubles: [] })
})

test('why it cannot be read is told', async () => {
  expect(await withJournalctl('echo "No journal files were opened" >&2; exit 1', 5)).toEqual({
    messages: [],
    troubles: ['No journal files were opened'],
  })
  expect(await ask({ PATH: '/nowhere' }, 5)).toEqual({
    messages: [],
    troubles: ['there is no journalctl'],
  })
})

test('what comes is followed until it is enough', async () => {
  await using dir = await tempDir()
  const script = `[ "$2 $3" = '--lines=0 --follow' ] || exit 9
echo '${object(3, { MESSAGE: 'new' })}'
exec sleep 1000`
  await writeFile(dir.file('journalctl'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  const enough = new AbortController()
  const seen: LogEntry[] = []
  const source = openJournaldSource({
    unitArg: '--user-unit=x.service',
    env: { PATH: `${dir.path}:/usr/bin:/bin` },
    count: 0,
    onTrouble: (reason) => expect.unreachable(reason),
  })
  await source.follow(enough.signal, (entry) => {
    seen.push(entry)
    enough.abort()
  })
  expect(seen.map(({ fields }) => fields['message'])).toEqual(['new'])
})
