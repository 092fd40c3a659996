import { existsSync, watch } from 'node:fs'
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { execa } from 'execa'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'
import { systemClock } from '../../../src/clock.ts'
import { writeTestModel } from '../../../src/model/test-model.ts'
import { readProcessIdentity } from '../../../src/process-identity.ts'
import { descendantsOf, killRecorded, untilGone } from '../../../src/process-tree.ts'
import { endOrphan, orphanEvent, recordEngine } from '../../../src/supervisor/orphan.ts'
import { binFile, freePort } from '../../helpers/cli.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { puppetFile, startPuppetControl, type PuppetControl } from '../../helpers/puppet.ts'
import { tempDir, type TempDir } from '../../helpers/temp-dir.ts'

const recordSchema = z.object({ pid: z.number(), identity: z.string() })

async function place(): Promise<{ dir: TempDir; file: string }> {
  const dir = await tempDir()
  onTestFinished(() => dir[Symbol.asyncDispose]())
  return { dir, file: dir.file('engine.json') }
}

/** A process that heeds nothing but SIGKILL, and one below it; up when this resolves. */
async function stubborn(): Promise<{ engine: ChildProcess; pid: number }> {
  const script = 'trap "" TERM INT HUP; (sleep 600) & echo up; wait; while :; do sleep 600; done'
  const engine = spawn('/bin/sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'] })
  await once(engine.stdout, 'data')
  const pid = engine.pid ?? 0
  const tree = await descendantsOf(pid)
  onTestFinished(async () => {
    engine.kill('SIGKILL')
    await killRecorded(tree)
  })
  return { engine, pid }
}

describe('endOrphan()', () => {
  test('ends the recorded engine, deaf to SIGTERM, and what it had started', async () => {
    const { file } = await place()
    const { engine, pid } = await stubborn()
    const tree = await descendantsOf(pid)
    await recordEngine(file, pid, true)
    const gone = once(engine, 'exit')
    const end = await endOrphan(file, systemClock)
    expect(end).toEqual({ kind: 'ended', pids: [pid, ...tree.map((one) => one.pid)] })
    await gone
    expect(existsSync(file)).toBe(false)
    expect(orphanEvent(end)?.message).toMatch('left running')
  })

  test('ends what the engine had started when the engine itself is gone', async () => {
    const { file } = await place()
    const { engine, pid } = await stubborn()
    const tree = await descendantsOf(pid)
    await recordEngine(file, pid, true)
    engine.kill('SIGKILL')
    await once(engine, 'exit')
    const pids = tree.map((one) => one.pid)
    expect(await endOrphan(file, systemClock)).toEqual({ kind: 'ended', pids })
  })

  test('spares a process that was given the pid later, and one of another boot', async () => {
    const { file } = await place()
    const { engine, pid } = await stubborn()
    for (const identity of ['another-boot 4711', 'Sat Aug  1 17:46:44 2026', '']) {
      await writeFile(file, JSON.stringify({ pid, identity, descendants: [{ pid, identity }] }))
      expect(await endOrphan(file, systemClock)).toEqual({ kind: 'none' })
      expect(existsSync(file)).toBe(false)
    }
    expect(engine.exitCode ?? engine.signalCode).toBeNull()
  })

  test('gives up waiting for what SIGKILL does not end, and says so', async () => {
    const { file } = await place()
    const { pid } = await stubborn()
    await recordEngine(file, pid, true)
    const spy = vi.spyOn(process, 'kill').mockReturnValue(true)
    onTestFinished(() => spy.mockRestore())
    const clock = new FakeClock()
    const end = await endOrphan(file, {
      monotonicMs: () => clock.monotonicMs(),
      sleep: async (delayMs, signal) => {
        // The limit of the list of processes is not the point here: only waits without an end to them.
        if (signal === undefined) await clock.advance(delayMs)
        else await once(signal, 'abort')
      },
    })
    expect(end).toMatchObject({ kind: 'stuck', waitedMs: 10_000 })
    expect(orphanEvent(end)?.message).toMatch('SIGKILL has no effect')
  })

  test('goes on when it may not end it', async () => {
    const { file } = await place()
    const { pid } = await stubborn()
    await recordEngine(file, pid, true)
    const spy = vi.spyOn(process, 'kill').mockImplementation(() => {
      throw Object.assign(new Error('kill EPERM'), { code: 'EPERM' })
    })
    onTestFinished(() => spy.mockRestore())
    const end = await endOrphan(file, systemClock)
    expect(end.kind).toBe('not-ours')
    expect(orphanEvent(end)?.message).toMatch('another user')
  })

  test.each([
    '',
    '{"pid":',
    '[1]',
    'null',
    '{"pid":"1","identity":"x"}',
    '{"pid":1,"identity":"x"}',
    '{"pid":1.5,"identity":"x"}',
    `{"pid":${process.pid},"identity":"x"}`,
    `{"pid":2,"identity":"${'x'.repeat(100_000)}"}`,
    '\u0000'.repeat(200),
  ])('kills nobody for a damaged record (%#)', async (content) => {
    const { file } = await place()
    await writeFile(file, content)
    const end = await endOrphan(file, systemClock)
    expect(end.kind).toBe('unknown')
    expect(orphanEvent(end)?.hint).toMatch('llama-server')
    expect(existsSync(file)).toBe(false)
  })

  test('goes on when there is a folder, or a pipe, in place of the record', async () => {
    const { dir, file } = await place()
    await mkdir(file)
    expect((await endOrphan(file, systemClock)).kind).toBe('unknown')
    await execa('mkfifo', [dir.file('pipe')])
    expect((await endOrphan(dir.file('pipe'), systemClock)).kind).toBe('unknown')
  })

  test('has nothing to do without a record', async () => {
    const { file } = await place()
    expect(await endOrphan(file, systemClock)).toEqual({ kind: 'none' })
    expect(orphanEvent({ kind: 'none' })).toBeNull()
  })
})

describe('recordEngine(, true)', () => {
  test('does not write down what is gone, and leaves no draft behind', async () => {
    const { dir, file } = await place()
    const { engine, pid } = await stubborn()
    await recordEngine(file, pid, true)
    expect(recordSchema.parse(JSON.parse(await readFile(file, 'utf8'))).pid).toBe(pid)
    await rename(file, dir.file('kept'))
    engine.kill('SIGKILL')
    await once(engine, 'exit')
    await recordEngine(file, pid, true)
    expect(existsSync(file)).toBe(false)
    expect(existsSync(`${file}.${pid}.new`)).toBe(false)
  })
})

interface Home {
  readonly dir: TempDir
  readonly port: number
  readonly puppets: PuppetControl
  /** Starts the daemon; resolves with it, and with a wait for a word in its log. */
  readonly daemon: () => { process: ChildProcess; logged: (text: string) => Promise<void> }
}

/** A home whose engine is a script around the puppet: the real engine is a grandchild of the daemon. */
async function home(): Promise<Home> {
  const { dir } = await place()
  const puppets = await startPuppetControl()
  onTestFinished(() => puppets[Symbol.asyncDispose]())
  const port = await freePort()
  await mkdir(dir.file('models'))
  await writeTestModel(dir.file('models', 'current'), { template: '<|channel|>' })
  const engine = dir.file('engine.sh')
  await writeFile(engine, `#!/bin/sh\n"${process.execPath}" "${puppetFile}" "$@"\nexit $?\n`)
  await chmod(engine, 0o755)
  const control = `extraArgs = ["--puppet-control", "${puppets.path}"]`
  await writeFile(dir.file('config.toml'), `[engine]\n${control}\n`)
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: dir.path,
    OSS20BD_HOME: dir.path,
    OSS20BD_PROXY_PORT: String(port),
    OSS20BD_ENGINE_PATH: engine,
  }
  const daemon: Home['daemon'] = () => {
    const child = spawn(process.execPath, [binFile, 'daemon'], { env, stdio: 'pipe' })
    let log = ''
    child.stdout.on('data', (chunk: Buffer) => (log += chunk.toString()))
    child.stderr.resume()
    onTestFinished(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    })
    const logged = async (text: string): Promise<void> => {
      while (!log.includes(text)) await once(child.stdout, 'data')
    }
    return { process: child, logged }
  }
  return { dir, port, puppets, daemon }
}

/** Resolves when the daemon has written down its engine: some milliseconds after the start of it. */
async function recorded({ dir }: Home): Promise<void> {
  const watcher = watch(dir.file('run'))
  while (!existsSync(dir.file('run', 'engine.json'))) await once(watcher, 'change')
  watcher.close()
}

async function killDaemon(daemon: ChildProcess): Promise<void> {
  const gone = once(daemon, 'exit')
  daemon.kill('SIGKILL')
  await gone
}

/** The next daemon takes lock and port, and a new engine is ready. */
async function nextDaemonServes({ port, puppets, daemon }: Home): Promise<void> {
  const next = daemon()
  const puppet = await puppets.next()
  await puppet.listening
  await puppet.ready()
  await next.logged('to=ready')
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.destroy()
  const gone = once(next.process, 'exit')
  next.process.kill('SIGTERM')
  expect(await gone).toEqual([0, null])
}

describe('a daemon killed with SIGKILL', () => {
  test.each(['starting', 'ready', 'stopping'] as const)(
    'while its engine is %s, deaf to everything: the next one ends it and takes its place',
    async (state) => {
      const scene = await home()
      const daemon = scene.daemon()
      const puppet = await scene.puppets.next()
      await puppet.listening
      for (const what of ['SIGTERM', 'stdin-end', 'polite-exit'] as const) await puppet.ignore(what)
      if (state !== 'starting') {
        await puppet.ready()
        await daemon.logged('to=ready')
      }
      if (state === 'stopping') {
        daemon.process.kill('SIGTERM')
        await puppet.stdinLines.next()
      }
      await recorded(scene)
      const tree = await descendantsOf(daemon.process.pid ?? 0)
      expect(tree.map(({ pid }) => pid)).toContain(puppet.pid)
      await killDaemon(daemon.process)
      await puppet.stdinEnded
      expect(await readProcessIdentity(puppet.pid)).not.toBeNull()
      await nextDaemonServes(scene)
      expect(await untilGone(tree, 10_000, systemClock)).toEqual([])
    },
  )

  test('while a well-behaved engine works: it leaves by itself, with the script around it', async () => {
    const scene = await home()
    const daemon = scene.daemon()
    const puppet = await scene.puppets.next()
    await puppet.listening
    await puppet.ready()
    await daemon.logged('to=ready')
    const tree = await descendantsOf(daemon.process.pid ?? 0)
    await killDaemon(daemon.process)
    await puppet.closed
    expect(await untilGone(tree, 10_000, systemClock)).toEqual([])
    await nextDaemonServes(scene)
  })

  test('while it waits to start an engine again: nothing is in the way of the next one', async () => {
    const scene = await home()
    const daemon = scene.daemon()
    for (let death = 0; death < 2; death += 1) await (await scene.puppets.next()).die()
    await daemon.logged('to=backoff')
    expect(await descendantsOf(daemon.process.pid ?? 0)).toEqual([])
    await killDaemon(daemon.process)
    await nextDaemonServes(scene)
  })
})
