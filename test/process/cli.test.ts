/** The compiled command line as a real child, against a stand-in for the daemon. */
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import type { Status } from '../../src/daemon/control-protocol.ts'
import { sendJson, startControlStandIn } from '../helpers/control-stand-in.ts'
import { makeStatus } from '../helpers/status.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const bin = fileURLToPath(new URL('../../bin/oss20bd', import.meta.url))

function run(home: string, args: readonly string[], env: Record<string, string> = {}) {
  return execa(process.execPath, [bin, ...args], {
    env: { OSS20BD_HOME: home, OSS20BD_CACHE: `${home}/cache`, ...env },
    reject: false,
    stripFinalNewline: false,
  })
}

/** Runs one command against a daemon that answers like this. */
async function runAgainst(
  answer: (asked: string, response: ServerResponse) => void,
  args: readonly string[],
) {
  await using dir = await tempDir()
  const daemon = await startControlStandIn(dir.file('run', 'control.sock'), answer)
  try {
    const { exitCode, stdout, stderr } = await run(dir.path, args)
    return { exitCode, stdout, stderr, asked: daemon.asked }
  } finally {
    await daemon.close()
  }
}

/** Answers every request with the status, and /events with these, one after the other. */
function playing(status: Status, events: readonly Status[] = [status]) {
  return (asked: string, response: ServerResponse): void => {
    if (asked !== 'GET /events') return sendJson(response, status)
    for (const event of events) response.write(`${JSON.stringify(event)}\n`)
  }
}

const starting = makeStatus({
  engine: { state: 'starting', detail: 'loading the model, 40 %', loadProgress: 0.4, pid: 201 },
})
const fresh = makeStatus({ engine: { pid: 201 } })
const failed = makeStatus({
  engine: {
    state: 'failed',
    detail: 'gave up',
    lastExit: {
      cause: 'model-missing',
      message: 'there is no model',
      hint: 'Run: oss20bd up',
      at: '2026-01-01T00:00:00Z',
    },
  },
})

test('status of a ready engine ends with 0', async () => {
  const { exitCode, stdout, stderr } = await runAgainst(playing(makeStatus()), ['status'])
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
  expect(stdout).toMatch(/^ready for 3 min 12 s: answering\n/)
})

test('status of an engine on its way ends with 4', async () => {
  const { exitCode, stdout } = await runAgainst(playing(starting), ['status'])
  expect(exitCode).toBe(4)
  expect(stdout).toContain('starting for 3 min 12 s: loading the model, 40 %')
})

test('status without a daemon ends with 3 and says what to do', async () => {
  await using dir = await tempDir()
  const { exitCode, stdout, stderr } = await run(dir.path, ['status', '--json'])
  expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: '' })
  expect(stderr).toBe(
    'oss20bd: Cannot ask the daemon: it is not running\n  Start it with: oss20bd start\n',
  )
})

test.each([[['status', '--json']], [['--json', 'status']]])(
  '%j prints the status as it is',
  async (args) => {
    const { exitCode, stdout } = await runAgainst(playing(starting), args)
    expect(exitCode).toBe(4)
    expect(JSON.parse(stdout)).toEqual({ ...starting, service: null })
  },
)

test('colours only for a terminal', async () => {
  const { stdout } = await runAgainst(playing(makeStatus()), ['status'])
  expect(stdout).not.toContain('\u001B')
})

test('start with a daemon there makes the engine wanted and waits for it', async () => {
  const result = await runAgainst(playing(starting, [starting, makeStatus()]), ['start'])
  expect(result.asked).toEqual(['GET /status', 'POST /start', 'GET /events'])
  expect(result.exitCode).toBe(0)
  expect(result.stdout).toContain('Ready: http://127.0.0.1:8020/v1\n')
})

test('start says that --set does not reach a daemon that runs already', async () => {
  const args = ['start', '--set', 'proxy.port=8021']
  const { exitCode, stderr } = await runAgainst(playing(makeStatus()), args)
  expect(exitCode).toBe(0)
  expect(stderr).toMatch(/--set and --config are not applied: .*\(pid \d+\) runs already/)
  expect(stderr).toContain('oss20bd stop')
})

test('start --no-wait returns at once', async () => {
  const result = await runAgainst(playing(starting), ['start', '--no-wait'])
  expect(result.asked).toEqual(['GET /status', 'POST /start'])
  expect(result.exitCode).toBe(0)
})

test('start gives up when the engine does, with its reason', async () => {
  const { exitCode, stderr } = await runAgainst(playing(starting, [starting, failed]), ['start'])
  expect(exitCode).toBe(1)
  expect(stderr).toContain(
    'oss20bd: Cannot start llama-server: there is no model\n  Run: oss20bd up\n',
  )
})

test('start passes on why the daemon cannot start', async () => {
  await using dir = await tempDir()
  const { exitCode, stderr } = await run(dir.path, ['start', '--set', 'proxy.port=none'])
  expect(exitCode).toBe(2)
  expect(stderr).toContain('proxy.port')
})

test('restart waits for an engine with another pid', async () => {
  const events = [makeStatus(), starting, fresh]
  const result = await runAgainst(playing(makeStatus(), events), ['restart', '--json'])
  expect(result.asked).toEqual(['GET /status', 'POST /restart', 'GET /events'])
  expect(JSON.parse(result.stdout)).toEqual(fresh)
})

test('stop without a daemon is done already', async () => {
  await using dir = await tempDir()
  const { exitCode, stdout } = await run(dir.path, ['stop'])
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'Not running: nothing to stop\n' })
})

test('stop returns only when the process of the daemon is gone', async () => {
  const process_ = execa('cat', { reject: false })
  const pid = process_.pid ?? 0
  const status = makeStatus({ daemon: { pid } })
  const order: string[] = []
  void process_.then(() => order.push('daemon gone'))
  const result = await runAgainst(
    (asked, response) => {
      if (asked === 'GET /events') {
        response.end(`${JSON.stringify(status)}\n`)
        process_.stdin.end()
      } else sendJson(response, status)
    },
    ['stop'],
  )
  order.push('stop returned')
  expect(order).toEqual(['daemon gone', 'stop returned'])
  expect(result.asked).toEqual(['GET /status', 'POST /shutdown', 'GET /events'])
  expect(result.stdout).toBe(`Stopped: the daemon (pid ${pid}) and llama-server (pid 200)\n`)
})

test('stop says so when the daemon stays', async () => {
  const status = makeStatus({ daemon: { pid: process.pid } })
  const { exitCode, stderr } = await runAgainst(playing(status), [
    'stop',
    ...['engine.drainTimeout', 'engine.exitGrace', 'engine.termGrace'].flatMap((key) => [
      '--set',
      `${key}=1ms`,
    ]),
  ])
  expect(exitCode).toBe(1)
  expect(stderr).toContain(`Cannot stop the daemon: pid ${process.pid} is still there after 5 s`)
})

test('stop --engine keeps the daemon', async () => {
  const down = makeStatus({ wanted: 'down', engine: { state: 'down', pid: null } })
  const result = await runAgainst(playing(makeStatus(), [makeStatus(), down]), ['stop', '--engine'])
  expect(result.asked).toEqual(['GET /status', 'POST /stop-engine', 'GET /events'])
  expect(result.stdout).toContain(
    'Stopped: llama-server (pid 200); the daemon still holds the port',
  )
})

test('the help names every command', async () => {
  await using dir = await tempDir()
  const { exitCode, stdout } = await run(dir.path, ['--help'])
  expect(exitCode).toBe(0)
  for (const verb of [
    'up',
    'start',
    'stop',
    'restart',
    'status',
    'logs',
    'config',
    'build',
    'daemon',
  ]) {
    expect(stdout).toContain(`oss20bd ${verb} `)
  }
})

test.each(['up', 'start', 'stop', 'restart', 'status', 'logs', 'config', 'build', 'daemon'])(
  '%s --help tells its options without doing anything',
  async (verb) => {
    await using dir = await tempDir()
    const { exitCode, stdout, stderr } = await run(dir.path, [verb, '--help'])
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    expect(stdout).toMatch(new RegExp(`oss20bd ${verb} (\\[KEY\\] )?\\[OPTIONS\\]`))
    expect(stdout).toContain('--json')
  },
)

test.each([
  [[], 'Say what to do, for example: oss20bd status', '--help'],
  [['statsu'], 'Cannot run "statsu": there is no such command', 'Did you mean: oss20bd status'],
  [['status', '--jsno'], 'jsno', 'oss20bd status --help'],
])('%j is wrong usage: status 2, one line and a hint', async (args, message, hint) => {
  await using dir = await tempDir()
  const { exitCode, stdout, stderr } = await run(dir.path, args)
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
  expect(stderr).toContain(message)
  expect(stderr).toContain(hint)
  expect(stderr.trimEnd().split('\n')).toHaveLength(2)
})

test('the shell can complete commands and options', async () => {
  await using dir = await tempDir()
  const script = await run(dir.path, ['completion'])
  expect(script.stdout).toContain('oss20bd --get-yargs-completions')
  const words = await run(dir.path, ['--get-yargs-completions', 'oss20bd', 'st'])
  expect(words.stdout.trim().split('\n')).toEqual(expect.arrayContaining(['start', 'status']))
})

test('config shows each value and where it came from', async () => {
  await using dir = await tempDir()
  await writeFile(dir.file('config.toml'), '[proxy]\nport = 8021\n')
  const { exitCode, stdout } = await run(dir.path, ['config', '--json', '--set', 'model.slots=2'])
  expect(exitCode).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({
    file: dir.file('config.toml'),
    exists: true,
    values: { 'proxy.port': 8021, 'model.slots': 2 },
    origins: { 'proxy.port': 'file', 'model.slots': 'flag', 'proxy.host': 'default' },
  })
})

test('a config file that was named must be there', async () => {
  await using dir = await tempDir()
  const { exitCode, stderr } = await run(dir.path, ['config', '--config', dir.file('none.toml')])
  expect(exitCode).toBe(2)
  expect(stderr).toContain('none.toml')
})

test('a reader that leaves early is no error', async () => {
  await using dir = await tempDir()
  await mkdir(dir.file('logs'))
  const line = `${JSON.stringify({ at: '2026-01-01T00:00:00Z', message: 'x'.repeat(200) })}\n`
  await writeFile(dir.file('logs', 'daemon.log'), line.repeat(20_000))
  const child = run(dir.path, ['logs', '-n', '20000'])
  child.stdout.once('data', () => child.stdout.destroy())
  const { exitCode, stderr } = await child
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
})

test('logs -f tells lines as they come, until it is ended', async () => {
  await using dir = await tempDir()
  await mkdir(dir.file('logs'))
  await writeFile(dir.file('logs', 'daemon.log'), '{"message":"old"}\n')
  const child = run(dir.path, ['logs', '-f', '--json'])
  const lines = child.iterable()[Symbol.asyncIterator]()
  expect((await lines.next()).value).toBe('{"message":"old"}')
  await writeFile(dir.file('logs', 'engine.log'), '{"message":"new"}\n')
  expect((await lines.next()).value).toBe('{"message":"new"}')
  child.kill('SIGINT')
  expect((await child).signal).toBe('SIGINT')
})

test('a checkout that was not compiled says how to compile it', async () => {
  await using dir = await tempDir()
  await mkdir(dir.file('bin'))
  await writeFile(dir.file('package.json'), '{"type":"module"}')
  await copyFile(bin, dir.file('bin', 'oss20bd'))
  const { exitCode, stderr } = await execa(
    process.execPath,
    [dir.file('bin', 'oss20bd'), 'status'],
    {
      reject: false,
    },
  )
  expect(exitCode).toBe(1)
  expect(stderr).toContain('it has not been compiled yet')
  expect(stderr).toContain('npm start')
})
