import { execFile, fork, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmod, open, writeFile } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { spawnHelper } from '../../../src/host/helper.ts'
import { createKeepAwake } from '../../../src/host/keep-awake.ts'
import { readProcessIdentity } from '../../../src/process-identity.ts'
import { RecordingLogger } from '../../helpers/recording-logger.ts'
import { tempDir, type TempDir } from '../../helpers/temp-dir.ts'

const HOLDER = fileURLToPath(new URL('keep-awake-holder.mjs', import.meta.url))
const children: ChildProcess[] = []

afterEach(async () => {
  await Promise.all(
    children.splice(0).map(async (child) => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    }),
  )
})

/** Tells of each stand-in that starts, and of its end: it holds a connection as long as it lives. */
interface StandIns extends AsyncDisposable {
  readonly searchPath: string
  next(): Promise<{ pid: number; args: string[]; gone: Promise<unknown> }>
}

/**
 * A `systemd-inhibit` on a PATH of its own. Like the real one it runs what it is given and leaves with
 * it; unlike it, it says hello over a socket first.
 */
async function standIns(dir: TempDir): Promise<StandIns> {
  const sockets: Socket[] = []
  const waiting: Socket[] = []
  const server: Server = createServer((socket) => {
    sockets.push(socket)
    waiting.push(socket)
  })
  server.listen(dir.file('s'))
  await once(server, 'listening')
  await writeFile(
    dir.file('systemd-inhibit'),
    `#!${process.execPath}
import { spawn } from 'node:child_process'
import { connect } from 'node:net'
const socket = connect(${JSON.stringify(dir.file('s'))})
socket.on('error', () => undefined)
socket.write(JSON.stringify({ pid: process.pid, args: process.argv.slice(2) }))
const [file] = process.argv.slice(-1)
spawn(file, { stdio: 'inherit' }).on('close', (code) => process.exit(code))
`,
  )
  await chmod(dir.file('systemd-inhibit'), 0o755)
  await writeFile(dir.file('package.json'), '{"type":"module"}')
  return {
    searchPath: `${dir.path}:/usr/bin:/bin`,
    next: async () => {
      while (waiting.length === 0) await once(server, 'connection')
      const socket = waiting.shift()
      const gone = once(socket!, 'close')
      const [hello]: Buffer[] = await once(socket!, 'data')
      const { pid, args }: { pid: number; args: string[] } = JSON.parse(String(hello))
      return { pid, args, gone }
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A process of its own that holds the assertion when it is told to. */
async function holder(searchPath: string): Promise<ChildProcess> {
  const child = fork(HOLDER, { env: { PATH: searchPath } })
  children.push(child)
  await once(child, 'message')
  return child
}

describe('the helper', () => {
  it('runs while requests do, is gone after the idle time, and comes again', async () => {
    await using dir = await tempDir()
    await using inhibitors = await standIns(dir)
    const daemon = await holder(inhibitors.searchPath)
    for (let burst = 0; burst < 2; burst += 1) {
      daemon.send('busy')
      const helper = await inhibitors.next()
      expect(helper.args).toContain('--what=idle')
      expect(await readProcessIdentity(helper.pid)).not.toBeNull()
      daemon.send('idle')
      await helper.gone
      await expect.poll(() => readProcessIdentity(helper.pid)).toBeNull()
    }
  })

  it('is gone when the daemon has closed it', async () => {
    await using dir = await tempDir()
    await using inhibitors = await standIns(dir)
    const daemon = await holder(inhibitors.searchPath)
    daemon.send('busy')
    const helper = await inhibitors.next()
    daemon.send('close')
    expect(await once(daemon, 'message')).toContain('closed')
    expect(await readProcessIdentity(helper.pid)).toBeNull()
  })

  it('leaves with a daemon that was killed', async () => {
    await using dir = await tempDir()
    await using inhibitors = await standIns(dir)
    const daemon = await holder(inhibitors.searchPath)
    daemon.send('busy')
    const helper = await inhibitors.next()
    daemon.kill('SIGKILL')
    await helper.gone
    await expect.poll(() => readProcessIdentity(helper.pid)).toBeNull()
  })
})

test.each([
  [
    'one that fails',
    '#!/bin/sh\necho "Failed to connect to bus" >&2\nexit 1\n',
    'status 1: Failed to connect to bus',
  ],
  ['one that is no program', '\u0000\u0001', 'status 127'],
  ['none', null, 'ENOENT'],
])('%s is said once, and hurts nobody', async (_what, script, reason) => {
  await using dir = await tempDir()
  await writeFile(dir.file('systemd-inhibit'), script ?? '')
  await chmod(dir.file('systemd-inhibit'), script === null ? 0o644 : 0o755)
  const log = new RecordingLogger()
  const ends: Promise<unknown>[] = []
  const keepAwake = createKeepAwake({
    platform: 'linux',
    pid: process.pid,
    clock: systemClock,
    log,
    spawn: (command) => {
      const helper = spawnHelper(command, {
        PATH: script === null ? dir.file('nowhere') : dir.path,
      })
      ends.push(helper.ended)
      return helper
    },
  })
  keepAwake.busy(true)
  keepAwake.busy(true)
  await Promise.all(ends)
  await keepAwake.close()
  expect(ends).toHaveLength(1)
  expect(log.messages('debug')).toHaveLength(1)
  expect(log.text()).toContain(reason)
})

it('a helper that is killed has ended, though a child of its own still holds its stderr', async () => {
  await using dir = await tempDir()
  await promisify(execFile)('mkfifo', [dir.file('fifo')])
  const script = `cat ${dir.file('fifo')} >&2 & exec sleep 60`
  const helper = spawnHelper({ file: '/bin/sh', args: ['-c', script] }, { PATH: '/usr/bin:/bin' })
  // Opens only when the child of the helper reads; that child stays until it is closed.
  await using writer = await open(dir.file('fifo'), 'w')
  expect(writer.fd).toBeGreaterThan(2)
  helper.kill('SIGKILL')
  expect((await helper.ended).message).toBe('/bin/sh ended by itself with SIGKILL')
})

it('a process without file descriptors to spare is not hurt by the helper that cannot start', async () => {
  // Node takes whatever the hard limit allows, so the shell sets that.
  const script = 'ulimit -n 128 && exec "$0" "$1"'
  const child = spawn('/bin/sh', ['-c', script, process.execPath, HOLDER], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  children.push(child)
  await once(child, 'message')
  child.send('open all')
  await once(child, 'message')
  child.send('busy')
  const [told]: { reason: string }[] = await once(child, 'message')
  expect(told?.reason).toContain('EMFILE')
  child.send('close')
  expect(await once(child, 'message')).toContain('closed')
})
