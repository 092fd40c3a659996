/** The real engine on a machine that really runs out of memory: who gives way, when, and what the apps notice. */
import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, type TestContext, test } from 'vitest'
import type { JournalEvent } from '../../src/journal.ts'
import { type DaemonScene, daemonScene } from '../helpers/daemon-scene.ts'
import { type MemoryHog, startMemoryHog } from '../helpers/memory-hog.ts'
import { makeMemoryRoom, type MemoryRoom } from '../helpers/memory-room.ts'
import { testEngineFolder, testModelFile } from '../helpers/test-engine.ts'

type Finish = Pick<TestContext, 'onTestFinished'>

const mib = 2 ** 20
const roomBytes = 2048 * mib
/** Sixteen conversations of 131072 tokens: a cache of about 600 MiB. */
const config = {
  'model.contextTokens': 131_072,
  'model.slots': 16,
  'model.promptCache': '0B',
  'memory.tightAfter': '2s',
  'memory.criticalAfter': '0s',
  'memory.calmAfter': '4s',
  'memory.stepEvery': '4s',
}

interface Scene {
  readonly room: MemoryRoom
  readonly hog: MemoryHog
  readonly reserveBytes: number
  readonly start: () => Promise<DaemonScene>
}

async function scene(
  { onTestFinished }: Finish,
  further: Readonly<Record<string, unknown>> = {},
): Promise<Scene> {
  const room = await makeMemoryRoom(roomBytes)
  onTestFinished(() => room[Symbol.asyncDispose]())
  const { entering } = room
  const hog = startMemoryHog(entering)
  onTestFinished(() => hog[Symbol.asyncDispose]())
  const reserveBytes = Math.min(room.totalBytes / 4, 1024 * mib)
  const start = (): Promise<DaemonScene> =>
    daemonScene({
      onTestFinished,
      entering,
      config: {
        ...config,
        ...further,
        'engine.path': join(testEngineFolder(), 'bin', 'llama-server'),
        'memory.reserve': `${Math.floor(reserveBytes / mib)}MiB`,
      },
      prepare: async (home) => {
        await mkdir(home.file('models'), { recursive: true })
        await copyFile(await testModelFile(), home.file('models', 'current'))
      },
    })
  return { room, hog, reserveBytes, start }
}

function actionsOf(events: readonly JournalEvent[]): readonly unknown[] {
  return events
    .filter(({ kind }) => kind === 'memory')
    .flatMap(({ facts }) => facts['action'] ?? [])
}

function isAction(name: string): (event: JournalEvent) => boolean {
  return ({ facts }) => facts['action'] === name
}

/** Asks again and again until the signal aborts; resolves with the status of every answer. */
async function keepAsking(daemon: DaemonScene, { signal }: AbortController): Promise<number[]> {
  const statuses: number[] = []
  while (!signal.aborted) statuses.push((await daemon.chat()).status)
  return statuses
}

test('another app takes all memory: the engine gives way before the kernel acts, and no request fails', async (finish) => {
  const { room, hog, reserveBytes, start } = await scene(finish)
  const daemon = await start()
  const full = await daemon.untilReady()
  expect(full.model.contextTokens).toBe(131_072)
  const killsBefore = await room.oomKills()

  // Tight: one request at a time, then, since nobody asks, half the context.
  await hog.take((await room.availableBytes()) - 0.7 * reserveBytes)
  await daemon.untilTold('memory', isAction('limit-requests'))
  const shrunk = daemon.until(
    ({ engine, model }) => engine.state === 'ready' && model.contextTokens === 65_536,
  )
  await daemon.untilTold('memory', isAction('smaller-context'))
  const held = await Promise.all([daemon.chat(), daemon.chat(), daemon.chat()])
  expect(held.map(({ status }) => status)).toEqual([200, 200, 200])
  expect((await shrunk).engine).toMatchObject({ restarts: 1, deaths: 0 })

  // Critical: the app grows until there would be no room for it beside the engine; where others would
  // suffer as well, nearly so.
  const enough = new AbortController()
  const asking = keepAsking(daemon, enough)
  asking.catch(() => undefined)
  await hog.take((await room.availableBytes()) - 0.7 * reserveBytes)
  const beyond = room.isOwn ? 64 * mib : -reserveBytes / 6
  const grown = hog.take((await room.availableBytes()) + beyond, reserveBytes / 25)
  const asleep = await daemon.untilState('asleep')
  expect(asleep.engine.detail).toMatch(/unloaded for want of memory.* available, .* reserved/)
  await grown
  expect(hog.isAlive).toBe(true)
  await daemon.untilAsked(({ proxy }) => proxy.held > 0)
  expect((await daemon.oss20bd('why')).stdout).toMatch(/The engine is unloaded: .* available/)

  // It gives it back: the model comes by itself, with all it had.
  await hog.giveBack()
  await daemon.untilReady()
  enough.abort()
  expect(new Set(await asking)).toEqual(new Set([200]))
  const back = await daemon.until(
    ({ memory, engine }) => memory.step === 'normal' && engine.state === 'ready',
  )
  expect(back.model.contextTokens).toBe(131_072)
  expect(back.memory).toMatchObject({ level: 'ok', reason: null, next: null })
  expect(back.proxy.failed).toBe(0)

  // The status is a little ahead of the file.
  await daemon.untilJournal((events) => actionsOf(events).at(-1) === 'lift-limit')
  const events = await daemon.journal()
  const actions = actionsOf(events)
  const down = ['limit-requests', 'smaller-context', 'unload', 'load'].map((name) =>
    actions.indexOf(name),
  )
  expect(down).toEqual(down.toSorted((one, other) => one - other))
  expect(down[0]).toBe(0)
  expect(actions).toContain('larger-context')
  expect(events.filter(({ facts }) => facts['cause'] === 'killed-by-os')).toEqual([])
  expect(await room.oomKills()).toBe(killsBefore)
})

test('a model for which others leave no room is refused with numbers, and starts by itself when they leave', async (finish) => {
  const { room, hog, start } = await scene(finish)
  await hog.take((await room.availableBytes()) - 560 * mib)
  const daemon = await start()
  const refused = await daemon.untilState('refused')
  expect(refused.engine.detail).toMatch(
    /^Cannot load the model: .* MiB of memory are needed to start, .* MiB are free now$/,
  )
  expect(refused.engine.hint).toMatch(/^Close other apps, or set model.contextTokens = \d+/)
  const answer = await daemon.chat()
  expect(answer).toMatchObject({
    status: 503,
    body: expect.stringContaining('are needed to start'),
  })
  await hog.giveBack()
  await daemon.untilReady()
  expect((await daemon.chat()).status).toBe(200)
})

test('as long as memory is critical a request loads nothing: it is held, then told why', async (finish) => {
  const { room, hog, reserveBytes, start } = await scene(finish, { 'proxy.holdTimeout': '2s' })
  const daemon = await start()
  await daemon.untilReady()
  await hog.take((await room.availableBytes()) - 0.15 * reserveBytes)
  await daemon.untilState('asleep')
  const answer = await daemon.chat()
  expect(answer).toMatchObject({
    status: 503,
    retryAfter: '5',
    body: expect.stringMatching(
      /Cannot answer yet: The machine is too short of memory for the model \(.* available.*\); it is loaded again once there is room/,
    ),
  })
  const load = await daemon.oss20bd('load')
  expect(load.exitCode).toBe(1)
  expect(load.stderr).toMatch(/Cannot load the model: .* for want of memory/)
  expect((await daemon.now()).engine).toMatchObject({ state: 'asleep', restarts: 1, pid: null })
})
