/** What can go wrong around the daemon, with an engine that does as it is told; what its user sees of it. */
import { mkdir, readdir } from 'node:fs/promises'
import { EventEmitter, once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import type { JournalEvent, JournalKind } from '../../../src/journal.ts'
import { type DaemonScene, expectSound } from '../../helpers/daemon-scene.ts'
import { fullDisk } from '../../helpers/full-disk.ts'
import {
  engineOfVersion,
  prepareHome,
  puppetScene,
  putEngine,
  putModel,
} from '../../helpers/puppet-scene.ts'
import type { TempDir } from '../../helpers/temp-dir.ts'

function ofKind(events: readonly JournalEvent[], kind: JournalKind): readonly JournalEvent[] {
  return events.filter((event) => event.kind === kind)
}

/** Enough for a puppet to be there, also on a busy machine. */
const startTimeout = '3s'
const startTimeoutMs = 3000

// Mostly waiting: together they take as long as the longest, nearly.
describe.concurrent('a load', () => {
  test('that is slow but moves is waited for, and so are the requests', async ({
    onTestFinished,
  }) => {
    const { scene, puppets } = await puppetScene({
      onTestFinished,
      config: { 'engine.startTimeout': startTimeout, 'proxy.holdTimeout': '2s' },
    })
    const puppet = await puppets.next()
    await puppet.listening
    const asked = scene.chat()
    await puppet.load({ from: 0, to: 0.9, forMs: 1.5 * startTimeoutMs, everyMs: 200 })
    const { status, why } = await scene.see()
    expect(status).toMatchObject({
      engine: { state: 'starting', detail: 'loading the model, 90 %', loadProgress: 0.9 },
      proxy: { held: 1 },
    })
    expect(why).toMatch(/^starting for .*: loading the model, 90 %/u)
    await puppet.ready()
    expect(await asked).toMatchObject({ status: 200 })
    expect((await scene.status()).engine).toMatchObject({ restarts: 0, deaths: 0, lastExit: null })
    await expectSound(scene)
  })

  test('that does not move is ended, and tried again', async ({ onTestFinished }) => {
    const { scene, puppets, readyPuppet } = await puppetScene({
      onTestFinished,
      config: { 'engine.startTimeout': startTimeout },
    })
    const asked = scene.chat()
    await (
      await puppets.next()
    ).closed
    await readyPuppet()
    expect(await asked).toMatchObject({ status: 200 })
    const { status, why, events } = await scene.see()
    const message = 'It gave no sign of progress for 3 s while starting'
    expect(status.engine).toMatchObject({
      restarts: 1,
      deaths: 1,
      lastExit: { cause: 'start-timeout', message },
    })
    expect(why).toContain(message)
    expect(why).toContain('engine.startTimeout in the config gives it longer')
    expect(ofKind(events, 'exit')).toMatchObject([{ facts: { cause: 'start-timeout' } }])
    await expectSound(scene)
  })

  test('that goes on for ever holds requests for as long as it moves, and no longer', async ({
    onTestFinished,
  }) => {
    const { scene, puppets } = await puppetScene({
      onTestFinished,
      config: { 'engine.startTimeout': startTimeout, 'proxy.holdTimeout': '1500ms' },
    })
    const puppet = await puppets.next()
    await puppet.listening
    const asked = scene.chat()
    await puppet.load({ from: 0, to: 0.5, forMs: 3000, everyMs: 100 })
    expect((await scene.now()).proxy.held).toBe(1)
    // From here on it only says that it lives.
    void puppet.load({ from: 0.5, to: 0.5, forMs: 600_000, everyMs: 100 })
    expect(await asked).toMatchObject({
      status: 503,
      retryAfter: '5',
      body: expect.stringContaining('Cannot answer yet: The model is loading (50 %)'),
    })
    expect((await scene.now()).engine).toMatchObject({ state: 'starting', pid: puppet.pid })
    await puppet.ready()
    await scene.untilReady()
    await expectSound(scene)
  })
})

describe.concurrent('a /health that lies', () => {
  test('while it cannot answer does not make it ready', async ({ onTestFinished }) => {
    const { scene, puppets, readyPuppet } = await puppetScene({ onTestFinished })
    const puppet = await puppets.next()
    await puppet.listening
    await puppet.answer('/v1/completions', { status: 500, chunks: ['{}'] })
    const asked = scene.chat()
    await puppet.ready({ quiet: true })
    await puppet.closed
    await readyPuppet()
    expect(await asked).toMatchObject({ status: 200 })
    const { status, why } = await scene.see()
    const message =
      'It loaded but did not answer a request for one token: it answered with status 500'
    expect(status.engine).toMatchObject({ restarts: 1, lastExit: { message } })
    expect(why).toContain(message)
    await expectSound(scene)
  })

  test('while it hangs does not keep it', async ({ onTestFinished }) => {
    const { scene, readyPuppet } = await puppetScene({
      onTestFinished,
      config: { 'health.hangTimeout': '5s', 'health.scrapeInterval': '1s' },
    })
    const puppet = await readyPuppet()
    await puppet.answer('/health', { status: 200, chunks: ['{"status":"ok"}'] })
    await puppet.answer('/metrics', { after: 'hold' })
    await puppet.answer('/v1/completions', { after: 'hold' })
    await puppet.answer('/v1/chat/completions', { after: 'hold' })
    const asked = scene.chat()
    await puppet.onRequest('/v1/chat/completions')
    await puppet.closed
    await readyPuppet()
    expect(await asked).toMatchObject({ status: 200 })
    const { status, why } = await scene.see()
    expect(status.engine).toMatchObject({ restarts: 1, lastExit: { cause: 'hang' } })
    expect(why).toContain('The engine stands still')
    await expectSound(scene)
  })
})

describe.concurrent('a daemon that stands still (SIGSTOP) for longer than a hang may last', () => {
  /** How long the stop of a process lasts is what is tested. */
  async function standStill(scene: DaemonScene, durationMs: number): Promise<void> {
    scene.signal('SIGSTOP')
    await systemClock.sleep(durationMs)
    scene.signal('SIGCONT')
  }

  test('finds its engine well, asks it for a token, and goes on with its stream', async ({
    onTestFinished,
  }) => {
    const { scene, readyPuppet } = await puppetScene({
      onTestFinished,
      config: {
        'health.wakeGap': '1s',
        'health.hangTimeout': '5s',
        'health.scrapeInterval': '1s',
      },
    })
    const puppet = await readyPuppet()
    const first = await puppet.onRequest('/v1/completions')
    expect(await first.closed).toBe('answered')
    const counters = 'llamacpp:requests_processing 1\nllamacpp:n_decode_total 7\n'
    await puppet.answer('/metrics', { status: 200, chunks: [counters] })
    await puppet.answer('/v1/chat/completions', { after: 'hold' })
    const asked = scene.chat()
    const request = await puppet.onRequest('/v1/chat/completions')
    await request.head(200, { 'content-type': 'text/event-stream' })
    await request.write('data: {"one":1}\n\n')
    await standStill(scene, 6000)
    await scene.inTime(puppet.onRequest('/v1/completions'))
    await request.write('data: [DONE]\n\n')
    await request.end()
    expect(await asked).toMatchObject({ status: 200, body: 'data: {"one":1}\n\ndata: [DONE]\n\n' })
    // The machine's own clock may be set in the meantime: that is told as well, and is no standstill.
    const wake = await scene.untilTold('wake', ({ facts }) => Number(facts['asleepMs']) > 5000)
    expect(wake.message).toMatch(/^Going on after \d.* of standstill: the machine slept/u)
    const { status, why, events } = await scene.see()
    expect(status.engine).toMatchObject({ state: 'ready', pid: puppet.pid, restarts: 0, deaths: 0 })
    expect(why).toMatch(/^ready for .*\n\nAll is well/u)
    expect(events.map(({ kind }) => kind)).not.toContain('hang')
  })

  test('while the engine loads takes nothing from the time it has to start', async ({
    onTestFinished,
  }) => {
    const { scene, puppets } = await puppetScene({
      onTestFinished,
      config: { 'health.wakeGap': '1s', 'engine.startTimeout': startTimeout },
    })
    const puppet = await puppets.next()
    await puppet.listening
    await puppet.loadProgress(0.5)
    await scene.until(({ engine }) => engine.loadProgress === 0.5)
    await standStill(scene, startTimeoutMs + 1000)
    await scene.untilTold('wake')
    await puppet.ready()
    await scene.untilReady()
    expect((await scene.status()).engine).toMatchObject({
      pid: puppet.pid,
      deaths: 0,
      lastExit: null,
    })
    await expectSound(scene)
  })
})

describe.concurrent('a full disk', () => {
  test('costs neither answers nor restarts, and the journal goes on once there is room', async ({
    onTestFinished,
  }) => {
    let free = (): Promise<void> => Promise.resolve()
    const { scene, readyPuppet } = await puppetScene({
      onTestFinished,
      prepare: async (home) => {
        await prepareHome(home)
        const logs: TempDir = {
          path: home.file('logs'),
          file: (...parts) => home.file('logs', ...parts),
          [Symbol.asyncDispose]: () => Promise.resolve(),
        }
        await mkdir(logs.path)
        const disk = await fullDisk(logs, 'journal.log')
        free = () => disk.free()
        onTestFinished(() => disk[Symbol.asyncDispose]())
      },
    })
    const first = await readyPuppet()
    expect(await scene.chat()).toMatchObject({ status: 200 })
    await first.die()
    await readyPuppet()
    const restarting = scene.oss20bd('restart')
    await readyPuppet()
    expect(await restarting).toMatchObject({ exitCode: 0 })
    const full = await scene.see()
    expect(full.status.engine).toMatchObject({ restarts: 2, lastExit: { cause: 'asked' } })
    expect(full.why).toMatch(/^ready for /u)
    expect(full.events).toEqual([])
    await free()
    // It looks again with the first event after a while.
    await scene.untilTold(
      'exit',
      () => true,
      () => scene.ask('start'),
    )
    const events = await scene.events()
    expect(ofKind(events, 'exit')).toMatchObject([
      { facts: { signal: 'SIGKILL', pid: first.pid } },
      { facts: { cause: 'asked' } },
    ])
    await expectSound(scene)
  })
})

describe.concurrent('no file left to open (EMFILE)', () => {
  /** After its second death there is time to take what the engine had open too. */
  const settings = { 'restart.baseDelay': '2500ms', 'restart.maxDelay': '2500ms' }
  /** As a Mac allows a process that asks for no more. */
  const maxOpenFiles = 256

  /** Apps that connect and say nothing, and come again when they are refused, until they leave. */
  class Crowd {
    readonly #port: number
    readonly #sockets = new Set<Socket>()
    readonly #full = new EventEmitter()
    #comesAgain = true

    constructor({ url }: DaemonScene) {
      this.#port = Number(new URL(url).port)
      for (let count = 0; count < maxOpenFiles; count += 1) this.#come()
    }

    /** Resolves when one has been refused. */
    async fillsUp(): Promise<void> {
      await once(this.#full, 'refused')
    }

    /** So many leave, and nobody comes for them. */
    leave(count = Infinity): void {
      this.#comesAgain = false
      for (const socket of [...this.#sockets].slice(0, count)) socket.destroy()
    }

    #come(): void {
      const socket = connect(this.#port, '127.0.0.1')
      this.#sockets.add(socket)
      // Some are reset.
      socket.on('error', () => undefined)
      socket.once('close', () => {
        this.#sockets.delete(socket)
        if (!this.#comesAgain) return
        this.#full.emit('refused')
        setTimeout(() => this.#come(), 10)
      })
    }
  }

  test.for(['the same engine', 'another engine in its place'])(
    'is survived, and all is well once there are files again: %s',
    async (what, { onTestFinished }) => {
      const { scene, readyPuppet } = await puppetScene({
        onTestFinished,
        maxOpenFiles,
        config: settings,
      })
      for (let death = 1; death <= 2; death += 1) await (await readyPuppet()).die()
      if (what !== 'the same engine') await putEngine(scene.home, engineOfVersion('2.0.0'))
      const crowd = new Crowd(scene)
      await crowd.fillsUp()
      // Enough to look at the model, too few for an engine.
      crowd.leave(3)
      await scene.untilTold('exit', ({ message }) => message.includes('EMFILE'))
      crowd.leave()
      await readyPuppet()
      const { status, why } = await scene.see()
      expect(status.engine).toMatchObject({ state: 'ready' })
      expect(why).toContain('EMFILE')
      await expectSound(scene)
    },
  )

  test('for longer than it has patience is over with the next file too', async ({
    onTestFinished,
  }) => {
    const { scene, readyPuppet } = await puppetScene({
      onTestFinished,
      maxOpenFiles,
      config: { ...settings, 'restart.safeModeAfter': 3, 'restart.giveUpAfter': 1 },
    })
    for (let death = 1; death <= 2; death += 1) await (await readyPuppet()).die()
    const crowd = new Crowd(scene)
    // Of a model that cannot be opened, or of an engine that cannot be started: neither has a fault.
    await scene.untilJournal((events) => {
      const starved = ofKind(events, 'exit').filter(({ message }) => message.includes('EMFILE'))
      return starved.length === 2 || events.some(({ facts }) => facts['to'] === 'failed')
    })
    crowd.leave()
    // With no command.
    await readyPuppet()
    expect((await scene.now()).engine.state).toBe('ready')
    await expectSound(scene)
  })

  test('is no reason to say that no daemon runs', async ({ onTestFinished }) => {
    const { scene, readyPuppet } = await puppetScene({ onTestFinished, maxOpenFiles })
    await readyPuppet()
    const crowd = new Crowd(scene)
    await crowd.fillsUp()
    const [status, why] = await Promise.all([scene.oss20bd('status'), scene.oss20bd('why')])
    crowd.leave()
    expect(status.stderr).not.toContain('it is not running')
    expect(why.stdout).not.toContain('the daemon ended without a word')
    await expectSound(scene)
  })
})

describe('an engine', () => {
  test('that ignores every request to leave is killed, and the next one comes', async ({
    onTestFinished,
  }) => {
    const { scene, readyPuppet } = await puppetScene({ onTestFinished })
    const puppet = await readyPuppet()
    for (const what of ['polite-exit', 'SIGTERM', 'stdin-end'] as const) await puppet.ignore(what)
    await scene.ask('restart')
    expect(await puppet.signals.next()).toBe('SIGTERM')
    await puppet.closed
    await readyPuppet()
    const { status, events } = await scene.see()
    expect(status.engine).toMatchObject({
      deaths: 0,
      lastExit: { cause: 'asked' },
      lastStop: { endedBy: 'SIGKILL', unfinished: 0 },
    })
    const message = 'No request was cut off; the engine had to be killed (SIGKILL)'
    expect(ofKind(events, 'stop-report')).toMatchObject([{ message }])
    await expectSound(scene)
  })

  test('whose file is replaced while it runs is the new one from the next run on', async ({
    onTestFinished,
  }) => {
    const { scene, readyPuppet } = await puppetScene({
      onTestFinished,
      prepare: async (home) => {
        await putModel(home)
        await putEngine(home, engineOfVersion('1.0.0'))
      },
    })
    const puppet = await readyPuppet()
    expect((await scene.now()).engine.version).toBe('1.0.0')
    await putEngine(scene.home, engineOfVersion('2.0.0'))
    expect((await scene.now()).engine).toMatchObject({ version: '1.0.0', pid: puppet.pid })
    await puppet.die('SIGSEGV')
    await readyPuppet()
    const { status, why } = await scene.see()
    expect(status.engine).toMatchObject({ version: '2.0.0', restarts: 1 })
    expect(why).toContain('crashed (SIGSEGV)')
    await expectSound(scene)
  })
})

describe('SIGTERM to the daemon', () => {
  const slow = { 'restart.baseDelay': '60s', 'restart.maxDelay': '60s' }
  const inGoodOrder = { code: 0, signal: null }

  /** It has ended in good order, once, and nothing of it is left. */
  async function endOf(scene: DaemonScene, starts: number): Promise<unknown> {
    const ended = await scene.inTime(scene.ended)
    expect(await readdir(scene.home.file('run'))).toEqual([])
    const events = await scene.events()
    expect(ofKind(events, 'daemon-stopped')).toEqual(events.slice(-1))
    expect(ofKind(events, 'asked').map(({ facts }) => facts['signal'] ?? '')).toContain('SIGTERM')
    const begun = ofKind(events, 'state').filter(({ facts }) => facts['to'] === 'starting')
    expect(begun).toHaveLength(starts)
    expect(await scene.oss20bd('status')).toMatchObject({ exitCode: 3 })
    expect((await scene.oss20bd('why')).stdout).toMatch(
      /^not running for .*: the daemon ended in good order\n/u,
    )
    return ended
  }

  test('while the engine starts', async ({ onTestFinished }) => {
    const { scene, puppets } = await puppetScene({ onTestFinished })
    const puppet = await puppets.next()
    await puppet.listening
    const asked = scene.chat()
    await scene.untilAsked(({ proxy }) => proxy.held === 1)
    scene.signal('SIGTERM')
    expect(await asked).toMatchObject({ status: 503 })
    await puppet.closed
    expect(await endOf(scene, 1)).toEqual(inGoodOrder)
  })

  test('with an open request that finishes in time', async ({ onTestFinished }) => {
    const { scene, readyPuppet } = await puppetScene({
      onTestFinished,
      config: { 'engine.drainTimeout': '20s' },
    })
    const puppet = await readyPuppet()
    await puppet.answer('/v1/chat/completions', { after: 'hold' })
    const asked = scene.chat()
    const request = await puppet.onRequest('/v1/chat/completions')
    scene.signal('SIGTERM')
    await scene.untilState('stopping')
    await request.head(200)
    await request.end()
    expect(await asked).toMatchObject({ status: 200 })
    await puppet.closed
    expect(await endOf(scene, 1)).toEqual(inGoodOrder)
  })

  test('with an open request that does not', async ({ onTestFinished }) => {
    const { scene, readyPuppet } = await puppetScene({ onTestFinished })
    const puppet = await readyPuppet()
    await puppet.answer('/v1/chat/completions', { after: 'hold' })
    const asked = scene.chat()
    await puppet.onRequest('/v1/chat/completions')
    scene.signal('SIGTERM')
    expect(await asked).toMatchObject({
      status: 503,
      retryAfter: '5',
      body: expect.stringContaining('Cannot answer: oss20bd is stopping'),
    })
    await puppet.closed
    expect(await endOf(scene, 1)).toEqual(inGoodOrder)
    const [report] = ofKind(await scene.journal(), 'stop-report')
    expect(report?.message).toBe('1 request was cut off; the engine left when asked')
  })

  test('while the engine is being stopped', async ({ onTestFinished }) => {
    const { scene, readyPuppet } = await puppetScene({ onTestFinished })
    const puppet = await readyPuppet()
    await puppet.ignore('polite-exit')
    await puppet.ignore('SIGTERM')
    await puppet.ignore('stdin-end')
    await scene.ask('restart')
    expect(await puppet.stdinLines.next()).toBe('cmd_router_to_child:exit')
    scene.signal('SIGTERM')
    await puppet.closed
    expect(await endOf(scene, 1)).toEqual(inGoodOrder)
  })

  test('while it waits for the next try', async ({ onTestFinished }) => {
    const { scene, readyPuppet } = await puppetScene({ onTestFinished, config: slow })
    for (let death = 1; death <= 2; death += 1) await (await readyPuppet()).die()
    await scene.untilState('backoff')
    scene.signal('SIGTERM')
    expect(await endOf(scene, 2)).toEqual(inGoodOrder)
  })

  test('after it has given up', async ({ onTestFinished }) => {
    const { scene } = await puppetScene({ onTestFinished, prepare: () => Promise.resolve() })
    await scene.untilState('failed')
    scene.signal('SIGTERM')
    expect(await endOf(scene, 1)).toEqual(inGoodOrder)
  })

  test('while the model is unloaded', async ({ onTestFinished }) => {
    const { scene, readyPuppet } = await puppetScene({ onTestFinished })
    await readyPuppet()
    await scene.ask('unload')
    await scene.untilState('asleep')
    scene.signal('SIGTERM')
    expect(await endOf(scene, 1)).toEqual(inGoodOrder)
  })

  test('twice leaves at once, and takes an engine along that ignores everything', async ({
    onTestFinished,
  }) => {
    const { scene, readyPuppet } = await puppetScene({
      onTestFinished,
      config: { 'engine.exitGrace': '60s' },
    })
    const puppet = await readyPuppet()
    for (const what of ['polite-exit', 'SIGTERM', 'stdin-end'] as const) await puppet.ignore(what)
    scene.signal('SIGTERM')
    expect(await puppet.stdinLines.next()).toBe('cmd_router_to_child:exit')
    scene.signal('SIGTERM')
    expect(await scene.inTime(scene.ended)).toEqual({ code: 1, signal: null })
    await puppet.closed
    expect((await scene.oss20bd('why')).stdout).toContain('the daemon ended without a word')
  })
})

describe('commands that cross', () => {
  test('a stop during a start ends the start', async ({ onTestFinished }) => {
    const { scene, puppets, readyPuppet } = await puppetScene({ onTestFinished })
    const puppet = await puppets.next()
    await puppet.listening
    const asked = scene.chat()
    await scene.untilAsked(({ proxy }) => proxy.held === 1)
    expect(await scene.oss20bd('stop', '--engine')).toMatchObject({ exitCode: 0 })
    await puppet.closed
    expect(await asked).toMatchObject({
      status: 503,
      body: expect.stringMatching(/The engine (?:is stopping|was stopped), as asked \(Start it/u),
    })
    const { status, why } = await scene.see()
    expect(status).toMatchObject({
      wanted: 'down',
      engine: { state: 'down', pid: null, deaths: 0 },
    })
    expect(why).toMatch(/^down for .*: stopped, as asked\n/u)
    await scene.ask('start')
    await readyPuppet()
    await expectSound(scene)
  })

  test('a start during a stop brings a new engine once the old one is gone', async ({
    onTestFinished,
  }) => {
    const { scene, readyPuppet } = await puppetScene({
      onTestFinished,
      config: { 'engine.drainTimeout': '20s' },
    })
    const puppet = await readyPuppet()
    await puppet.answer('/v1/chat/completions', { after: 'hold' })
    const asked = scene.chat()
    const request = await puppet.onRequest('/v1/chat/completions')
    await scene.ask('stop-engine')
    await scene.untilState('stopping')
    await scene.ask('start')
    const { engine, wanted } = await scene.now()
    expect({ wanted, ...engine }).toMatchObject({ wanted: 'up', pid: puppet.pid })
    await request.head(200)
    await request.end()
    expect(await asked).toMatchObject({ status: 200 })
    await puppet.closed
    await readyPuppet()
    expect((await scene.status()).engine).toMatchObject({ restarts: 1, deaths: 0 })
    await expectSound(scene)
  })

  test('ten restarts in a row give one new engine', async ({ onTestFinished }) => {
    const { scene, readyPuppet } = await puppetScene({
      onTestFinished,
      config: { 'engine.drainTimeout': '20s' },
    })
    const puppet = await readyPuppet()
    await puppet.answer('/v1/chat/completions', { after: 'hold' })
    const asked = scene.chat()
    const request = await puppet.onRequest('/v1/chat/completions')
    // None of them is over before the last has come.
    for (let count = 0; count < 10; count += 1) await scene.ask('restart')
    await request.head(200)
    await request.end()
    expect(await asked).toMatchObject({ status: 200 })
    await puppet.closed
    const next = await readyPuppet()
    const { status, events } = await scene.see()
    expect(status.engine).toMatchObject({ pid: next.pid, restarts: 1, deaths: 0 })
    expect(ofKind(events, 'asked')).toHaveLength(10)
    await expectSound(scene)
  })
})
