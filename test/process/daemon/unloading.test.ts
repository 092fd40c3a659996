/** Unload and wake, as the apps and the user of a daemon see it, with an engine that does as it is told. */
import { readFile, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import type { JournalEvent } from '../../../src/journal.ts'
import { puppetScene } from '../../helpers/puppet-scene.ts'

function messagesOf(events: readonly JournalEvent[]): string {
  return events.map(({ message }) => message).join('\n')
}

test('nobody asks, so the model is unloaded; the next request is held, loads it and is answered', async (finish) => {
  const { scene: daemon, readyPuppet } = await puppetScene({
    ...finish,
    config: { 'idle.unloadAfter': '1s' },
  })
  await readyPuppet()
  const { engine } = await daemon.untilState('asleep')
  expect(engine).toMatchObject({ pid: null, hint: null, deaths: 0 })
  expect(engine.detail).toBe(
    'the model was unloaded after a while without requests; the next request loads it again',
  )
  const status = await daemon.oss20bd('status')
  expect([status.exitCode, status.stdout]).toEqual([4, expect.stringMatching(/^asleep for/)])
  const answered = daemon.chat()
  await readyPuppet()
  expect((await answered).status).toBe(200)
  expect(messagesOf(await daemon.journal())).toMatch(
    /Nobody has asked anything for 1(\.\d)? s: the/,
  )
})

test('an answer that takes longer than that is no time without requests', async (finish) => {
  const { scene: daemon, readyPuppet } = await puppetScene({
    ...finish,
    config: { 'idle.unloadAfter': '1s' },
  })
  const puppet = await readyPuppet()
  await puppet.answer('/v1/chat/completions', { after: 'hold' })
  const asked = daemon.chat()
  const request = await puppet.onRequest('/v1/chat/completions')
  const askedAtMs = performance.now()
  await daemon.untilAsked(() => performance.now() - askedAtMs > 2500)
  expect((await daemon.now()).engine.pid).toBe(puppet.pid)
  const json = { 'content-type': 'application/json' }
  await request.head(200, json)
  await request.write('{"choices":[]}')
  await request.end()
  expect((await asked).status).toBe(200)
  const endedAtMs = performance.now()
  await daemon.untilState('asleep')
  expect(performance.now() - endedAtMs).toBeGreaterThan(900)
})

test('a client that gives up during a wake does not undo it', async (finish) => {
  const { scene: daemon, puppets } = await puppetScene(finish)
  const first = await puppets.next()
  await first.listening
  await first.ready()
  await daemon.untilReady()
  expect((await daemon.oss20bd('unload')).stdout).toMatch(/^Unloaded: its memory is free; /)
  const leaving = new AbortController()
  const asked = fetch(`${daemon.url}/v1/completions`, {
    method: 'POST',
    body: JSON.stringify({ prompt: 'hi' }),
    signal: leaving.signal,
  }).catch(() => null)
  const second = await daemon.inTime(puppets.next())
  leaving.abort()
  await asked
  await daemon.untilAsked(({ proxy }) => proxy.held === 0)
  await second.listening
  await second.ready()
  expect((await daemon.untilReady()).engine.pid).toBe(second.pid)
})

test('load loads it without a request, and means nothing to an engine that was stopped', async (finish) => {
  const { scene: daemon, readyPuppet } = await puppetScene(finish)
  await readyPuppet()
  await daemon.oss20bd('unload')
  const loading = daemon.oss20bd('load')
  const puppet = await readyPuppet()
  expect(await loading).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^Ready: /) })
  expect((await daemon.now()).engine.pid).toBe(puppet.pid)
  await daemon.ask('stop-engine')
  await daemon.untilState('down')
  expect(await daemon.oss20bd('load')).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('the engine was stopped\n  Start it: oss20bd start'),
  })
})

test('what does not fit is refused with need, have and what would, and starts once the config asks for that', async (finish) => {
  const budget = { 'memory.budget': '1GiB', 'memory.reserve': '256MiB' }
  const { scene: daemon, readyPuppet } = await puppetScene({ ...finish, config: budget })
  const { engine } = await daemon.untilState('refused')
  expect(engine.detail).toMatch(
    /^Cannot load the model: 1\.\d GiB of memory are needed, 768\.0 MiB may be used/,
  )
  expect(engine.hint).toMatch(/^In the config, set .*model\.promptCache/)
  const answer = await daemon.chat()
  expect(answer).toMatchObject({ status: 503, body: expect.stringContaining('may be used') })
  expect((await daemon.oss20bd('why')).stdout).toContain(engine.detail)
  expect((await daemon.oss20bd('load')).stderr).toContain(`${engine.detail}\n  ${engine.hint}`)
  const settings = `\n[model]\npromptCache = "64MiB"\ncontextTokens = 8192\n`
  const config = daemon.home.file('config.toml')
  await writeFile(config, (await readFile(config, 'utf8')) + settings)
  await readyPuppet()
  expect((await daemon.chat()).status).toBe(200)
})
