/** `oss20bd requests`, `cancel` and `token` as real children. */
import type { ServerResponse } from 'node:http'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { digestOf, readTokens } from '../../src/token-files.ts'
import { binFile } from '../helpers/cli.ts'
import { sendJson, startControlStandIn } from '../helpers/control-stand-in.ts'
import { makeRecord, makeRequests } from '../helpers/requests.ts'
import { tempDir } from '../helpers/temp-dir.ts'

function start(home: string, args: readonly string[]) {
  return execa(process.execPath, [binFile, ...args], {
    env: { OSS20BD_HOME: home, OSS20BD_CACHE: `${home}/cache` },
    reject: false,
    stripFinalNewline: false,
  })
}

async function runAgainst(
  answer: (asked: string, response: ServerResponse) => void,
  args: readonly string[],
) {
  await using dir = await tempDir()
  const daemon = await startControlStandIn(dir.file('run', 'control.sock'), answer)
  try {
    const { exitCode, stdout, stderr } = await start(dir.path, args)
    return { exitCode, stdout, stderr, asked: daemon.asked }
  } finally {
    await daemon.close()
  }
}

const answering = (_asked: string, response: ServerResponse): void =>
  sendJson(response, makeRequests())

test('requests prints one table, without colour for a pipe', async () => {
  const { exitCode, stdout, stderr, asked } = await runAgainst(answering, ['requests'])
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
  expect(asked).toEqual(['GET /requests?recent=20'])
  expect(stdout).toMatch(/^1 open: 1 answering\n7 ended since .*\nID .*\nr1a2 .*\nr1a2 .*\n$/)
  expect(stdout).not.toContain('\u001B')
})

test('requests --json prints what the daemon says, and no more than was asked for', async () => {
  const many = makeRequests({ recent: ['r3', 'r2', 'r1'].map((id) => makeRecord({ id })) })
  const { stdout } = await runAgainst(
    (_asked, response) => sendJson(response, many),
    ['requests', '--json', '-n', '2'],
  )
  expect(JSON.parse(stdout)).toEqual({ ...many, recent: many.recent.slice(0, 2) })
})

test('requests -f --json goes on, one answer per line, until it is ended', async () => {
  await using dir = await tempDir()
  const daemon = await startControlStandIn(dir.file('run', 'control.sock'), answering)
  const child = start(dir.path, ['requests', '-f', '--json'])
  const lines = child.iterable()[Symbol.asyncIterator]()
  expect(JSON.parse(String((await lines.next()).value))).toEqual(makeRequests())
  expect(JSON.parse(String((await lines.next()).value))).toEqual(makeRequests())
  child.kill('SIGINT')
  expect((await child).signal).toBe('SIGINT')
  await daemon.close()
})

test.each([[{ open: [] }], [[]], [{ open: [{}], recent: [], totals: { byOutcome: {} } }]])(
  'requests refuses the answer %j of another version in words',
  async (body) => {
    const { exitCode, stderr } = await runAgainst(
      (_asked, response) => sendJson(response, body),
      ['requests'],
    )
    expect(exitCode).toBe(1)
    expect(stderr).toContain('its answer is not readable')
  },
)

test('cancel names the request to the daemon', async () => {
  const { exitCode, stdout, asked } = await runAgainst(
    (_asked, response) => sendJson(response, { cancelled: true }),
    ['cancel', 'r1a2'],
  )
  expect({ exitCode, stdout, asked }).toEqual({
    exitCode: 0,
    stdout: 'Cancelled: r1a2\n',
    asked: ['POST /cancel?id=r1a2'],
  })
})

test('cancel of what is not open ends with 1 and says so; an id cannot become a second parameter', async () => {
  const { exitCode, stdout, stderr, asked } = await runAgainst(
    (_asked, response) => sendJson(response, { cancelled: false }),
    ['cancel', '1&x=2'],
  )
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
  expect(stderr).toBe(
    'oss20bd: Cannot cancel 1&x=2: no open request has this id\n  It may be over already. See what is open: oss20bd requests\n',
  )
  expect(asked).toEqual(['POST /cancel?id=1%26x%3D2'])
})

test('cancel without an id is wrong usage', async () => {
  await using dir = await tempDir()
  const { exitCode, stderr } = await start(dir.path, ['cancel'])
  expect(exitCode).toBe(2)
  expect(stderr).toContain('for example: oss20bd cancel r1a2')
})

test('without a daemon requests and cancel end with 3', async () => {
  await using dir = await tempDir()
  expect((await start(dir.path, ['requests'])).exitCode).toBe(3)
  expect((await start(dir.path, ['cancel', 'r1'])).exitCode).toBe(3)
})

test('a token is printed alone and once, listed by name, and revoked', async () => {
  await using dir = await tempDir()
  const added = await start(dir.path, ['token', 'add', '007'])
  expect(added.stdout).toMatch(/^o20-[\w-]{43}\n$/)
  expect(added.stderr).toContain('from now on every request at the port needs a token')
  expect(readTokens(dir.file('tokens'))).toMatchObject([
    { name: '007', digest: digestOf(added.stdout.trim()) },
  ])
  const listed = await start(dir.path, ['token', 'list'])
  expect(listed.stdout).toMatch(
    /^NAME +CREATED +LAST USED\n007 +\d{4}-\d\d-\d\d \d\d:\d\d +unknown\n$/,
  )
  const revoked = await start(dir.path, ['token', 'revoke', '007', '--json'])
  expect(JSON.parse(revoked.stdout)).toEqual({ name: '007', revoked: true })
  expect(revoked.stderr).toContain('It was the last')
  expect(JSON.parse((await start(dir.path, ['token', 'list', '--json'])).stdout)).toEqual([])
})

test.each([
  [['token'], 'it must be add, list or revoke'],
  [['token', 'drop'], '"drop" was given'],
  [['token', 'add'], 'its name is missing'],
  [['token', 'add', 'a b'], 'Cannot use the name "a b"'],
  [['token', 'revoke', 'zed'], 'there is none of this name'],
])('%j is wrong usage: status 2, one line and a hint', async (args, message) => {
  await using dir = await tempDir()
  const { exitCode, stdout, stderr } = await start(dir.path, args)
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
  expect(stderr).toContain(message)
  expect(stderr.trimEnd().split('\n')).toHaveLength(2)
})
