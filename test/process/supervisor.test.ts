import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { systemClock } from '../../src/clock.ts'
import type { ExitReason } from '../../src/engine.ts'
import { recordEngine, reapOrphan } from '../../src/supervisor/orphan.ts'
import { Supervisor, type SupervisorOptions } from '../../src/supervisor/supervisor.ts'
import type { EngineState } from '../../src/supervisor/lifecycle.ts'
import {
  puppetEngine,
  startPuppetControl,
  type Puppet,
  type PuppetControl,
} from '../helpers/puppet.ts'
import { RecordingLogger } from '../helpers/recording-logger.ts'
import { tempDir } from '../helpers/temp-dir.ts'

interface Scene {
  readonly supervisor: Supervisor
  readonly puppets: PuppetControl
  readonly recordFile: string
  readonly drains: () => number
  /** Resolves with the state once it is of this kind. */
  readonly until: <K extends EngineState['kind']>(kind: K) => Promise<EngineState & { kind: K }>
  /** Starts the next puppet and takes it to `ready`. */
  readonly readyPuppet: () => Promise<Puppet>
}

const recordSchema = z.object({ identity: z.string() })
const never = new AbortController().signal

function isOf<K extends EngineState['kind']>(
  state: EngineState,
  kind: K,
): state is EngineState & { kind: K } {
  return state.kind === kind
}

async function scene(changes: Partial<SupervisorOptions> = {}): Promise<Scene> {
  const dir = await tempDir()
  const puppets = await startPuppetControl()
  const recordFile = dir.file('engine.json')
  let drains = 0
  const supervisor = new Supervisor({
    engine: () => puppetEngine(puppets, dir.file('engine.sock')),
    preflight: () => Promise.resolve(null),
    restart: { baseDelayMs: 20, maxDelayMs: 40, windowMs: 600_000, maxDeaths: 4 },
    graces: { exitGraceMs: 300, termGraceMs: 300 },
    startTimeoutMs: 60_000,
    drain: () => {
      drains += 1
      return Promise.resolve({ unfinished: 0 })
    },
    recordFile,
    clock: systemClock,
    log: new RecordingLogger(),
    engineLog: () => undefined,
    random: () => 0.5,
    ...changes,
  })
  const until: Scene['until'] = async (kind) => {
    for (;;) {
      const { state } = supervisor.view().life
      if (isOf(state, kind)) return state
      await supervisor.changed(never)
    }
  }
  onTestFinished(async () => {
    supervisor.stop()
    await until('down')
    await puppets[Symbol.asyncDispose]()
    await dir[Symbol.asyncDispose]()
  })
  const readyPuppet = async (): Promise<Puppet> => {
    const puppet = await puppets.next()
    await puppet.listening
    await puppet.ready()
    await until('ready')
    return puppet
  }
  return { supervisor, puppets, recordFile, drains: () => drains, until, readyPuppet }
}

describe('supervisor', () => {
  test('it is ready only when the engine has loaded and answered a token', async () => {
    const { supervisor, puppets, until } = await scene()
    supervisor.start()
    const puppet = await puppets.next()
    await puppet.listening
    await puppet.loadProgress(0.5)
    await puppet.answer('/v1/completions', { after: 'hold' })
    await puppet.ready()
    const canary = await puppet.onRequest('/v1/completions')
    expect(await until('starting')).toMatchObject({ phase: 'checking', loadProgress: 1 })
    await canary.head(200)
    await canary.end()
    await until('ready')
    expect(supervisor.view().enginePid).toBe(puppet.pid)
  })

  test('an engine that does not announce itself is found ready by its health path', async () => {
    const { supervisor, puppets, until } = await scene()
    supervisor.start()
    const puppet = await puppets.next()
    await puppet.listening
    await puppet.ready({ quiet: true })
    expect((await until('ready')).runId).toBe(1)
  })

  test('a loaded engine that cannot answer is ended and its death explained', async () => {
    const { supervisor, puppets, until } = await scene({
      restart: { baseDelayMs: 60_000, maxDelayMs: 60_000, windowMs: 600_000, maxDeaths: 4 },
    })
    supervisor.start()
    for (let run = 1; run <= 2; run += 1) {
      const puppet = await puppets.next()
      await puppet.listening
      await puppet.answer('/v1/completions', { status: 500, chunks: ['{}'] })
      await puppet.ready()
      await puppet.closed
    }
    await until('backoff')
    expect(supervisor.view().life.lastExit?.reason.message).toMatch('status 500')
  })

  test('after SIGKILL a new engine is there at once', async () => {
    const { supervisor, readyPuppet, until } = await scene()
    supervisor.start()
    const first = await readyPuppet()
    await first.die('SIGKILL')
    const second = await readyPuppet()
    expect(second.pid).not.toBe(first.pid)
    expect((await until('ready')).runId).toBe(2)
    expect(supervisor.view().life).toMatchObject({
      restarts: 1,
      lastExit: { reason: { permanent: false } },
    })
  })

  test('a crash loop ends in failed, with the reason; a restart by the user tries again', async () => {
    const { supervisor, puppets, until, readyPuppet } = await scene()
    supervisor.start()
    for (let death = 1; death <= 5; death += 1) await (await puppets.next()).die('SIGSEGV')
    const { why } = await until('failed')
    expect(why).toMatch('5 times')
    supervisor.restart()
    await readyPuppet()
  })

  test('what preflight refuses is never spawned', async () => {
    const reason: ExitReason = {
      cause: 'model-missing',
      permanent: true,
      message: 'no file',
      hint: null,
    }
    const { supervisor, until } = await scene({ preflight: () => Promise.resolve(reason) })
    supervisor.start()
    expect((await until('failed')).reason).toEqual(reason)
  })

  test('an engine file that does not exist fails with words, not a crash of ours', async () => {
    const dir = await tempDir()
    const engine = puppetEngine({ path: '/nowhere' }, dir.file('engine.sock'))
    const { supervisor, until } = await scene({
      engine: () => ({
        ...engine,
        command: { ...engine.command, file: dir.file('no-such-engine') },
      }),
    })
    supervisor.start()
    expect((await until('failed')).reason.cause).toBe('engine-missing')
    await dir[Symbol.asyncDispose]()
  })

  test('a start that cannot even be prepared is a death like others, not a wait for ever', async () => {
    const { supervisor, until } = await scene({
      preflight: () => Promise.reject(new Error('the disk is gone')),
    })
    supervisor.start()
    expect((await until('failed')).reason.message).toMatch('the disk is gone')
  })

  test('a stop drains, asks politely, and the engine leaves', async () => {
    const { supervisor, readyPuppet, until, drains } = await scene()
    supervisor.start()
    const puppet = await readyPuppet()
    supervisor.stop()
    expect(await puppet.stdinLines.next()).toBe('cmd_router_to_child:exit')
    await until('down')
    await puppet.closed
    expect(drains()).toBe(1)
    expect(supervisor.view().life.lastExit?.reason.cause).toBe('asked')
  })

  test('an engine that ignores the request, SIGTERM and the end of its stdin is killed', async () => {
    const { supervisor, readyPuppet, until } = await scene()
    supervisor.start()
    const puppet = await readyPuppet()
    await puppet.ignore('polite-exit')
    await puppet.ignore('SIGTERM')
    await puppet.ignore('stdin-end')
    supervisor.stop()
    expect(await puppet.signals.next()).toBe('SIGTERM')
    await until('down')
    await puppet.closed
  })

  test('a stop while it loads ends it without draining', async () => {
    const { supervisor, puppets, until, drains } = await scene()
    supervisor.start()
    const puppet = await puppets.next()
    supervisor.stop()
    await until('down')
    await puppet.closed
    expect(drains()).toBe(0)
  })

  test('ten restarts in a row give one new engine', async () => {
    const { supervisor, readyPuppet } = await scene()
    supervisor.start()
    const first = await readyPuppet()
    for (let count = 0; count < 10; count += 1) supervisor.restart()
    await first.closed
    await readyPuppet()
    expect(supervisor.view().life.restarts).toBe(1)
  })

  test('a start without any sign of progress is over at its deadline', async () => {
    const { supervisor, puppets, until } = await scene({
      startTimeoutMs: 400,
      restart: { baseDelayMs: 60_000, maxDelayMs: 60_000, windowMs: 600_000, maxDeaths: 4 },
    })
    supervisor.start()
    await (
      await puppets.next()
    ).closed
    await (
      await puppets.next()
    ).closed
    await until('backoff')
    expect(supervisor.view().life.lastExit?.reason.cause).toBe('start-timeout')
  })

  test('a flood of output and a line of 10 MB hurt nothing', async () => {
    let lines = 0
    const { supervisor, readyPuppet, until } = await scene({ engineLog: () => (lines += 1) })
    supervisor.start()
    const puppet = await readyPuppet()
    await puppet.say('x'.repeat(10 * 2 ** 20), 'stdout')
    await puppet.print('garbage \u0000 line\n'.repeat(100_000), 'stderr')
    await puppet.die('SIGKILL')
    await readyPuppet()
    await until('ready')
    expect(lines).toBeGreaterThanOrEqual(100_001)
  })
})

test('an engine left by a killed daemon is reaped by pid and start time, another process is not', async () => {
  const { supervisor, readyPuppet, recordFile } = await scene()
  supervisor.start()
  const puppet = await readyPuppet()
  await recordEngine(recordFile, process.pid)
  const { identity } = recordSchema.parse(JSON.parse(readFileSync(recordFile, 'utf8')))
  writeFileSync(recordFile, JSON.stringify({ identity, pid: puppet.pid }))
  expect(await reapOrphan(recordFile, systemClock)).toBeNull()
  expect(existsSync(recordFile)).toBe(false)

  await recordEngine(recordFile, puppet.pid)
  expect(await reapOrphan(recordFile, systemClock)).toBe(puppet.pid)
  await puppet.closed
  await readyPuppet()
})

test.each(['', '{"pid":', '[1]', '{"pid":"1","identity":"x"}'])(
  'a damaged record %j kills nobody',
  async (content) => {
    await using dir = await tempDir()
    const file = dir.file('engine.json')
    writeFileSync(file, content)
    expect(await reapOrphan(file, systemClock)).toBeNull()
  },
)
