import { describe, expect, test } from 'vitest'
import type { ExitReason } from '../../../src/engine.ts'
import { puppetEngine } from '../../helpers/puppet.ts'
import { slowRestart, supervisorScene as scene } from '../../helpers/supervisor-scene.ts'
import { tempDir } from '../../helpers/temp-dir.ts'

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
      set: { restart: slowRestart },
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
    const { supervisor, until } = await scene({
      preflight: () => Promise.resolve({ kind: 'cannot', reason }),
    })
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
      set: { restart: slowRestart, startTimeoutMs: 400 },
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
})
