/** What the real llama-server can suffer, and what its user sees of it: status, why, events and answers. */
import { copyFile, mkdir, rename, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import OpenAI from 'openai'
import { describe, expect, type TestContext, test } from 'vitest'
import type { Status } from '../../src/daemon/control-protocol.ts'
import { messageOf } from '../../src/errors.ts'
import type { JournalEvent, JournalKind } from '../../src/journal.ts'
import { readProcessIdentity } from '../../src/process-identity.ts'
import { configText, type DaemonScene, daemonScene, expectSound } from '../helpers/daemon-scene.ts'
import type { TempDir } from '../helpers/temp-dir.ts'
import { testEngineFolder, testModelFile } from '../helpers/test-engine.ts'

type Finish = Pick<TestContext, 'onTestFinished'>

const engineFile = join(testEngineFolder(), 'bin', 'llama-server')

/** In one step, as a download does it. */
async function putModel(home: TempDir): Promise<void> {
  await mkdir(home.file('models'), { recursive: true })
  await copyFile(await testModelFile(), home.file('models', 'new'))
  await rename(home.file('models', 'new'), home.file('models', 'current'))
}

/** A daemon with the real engine, and the built-in model unless `prepare` puts something else there. */
function realScene(
  { onTestFinished }: Finish,
  config: Readonly<Record<string, unknown>> = {},
  prepare: (home: TempDir) => Promise<void> = putModel,
): Promise<DaemonScene> {
  const all = { 'engine.path': engineFile, 'model.contextTokens': 16_384, ...config }
  return daemonScene({ onTestFinished, config: all, prepare })
}

/** Streams a count, and resolves once it has begun. The outcome tells how it ended for its client. */
async function startCounting(
  scene: DaemonScene,
  maxTokens: number,
  further: { readonly logprobs?: number } = {},
): Promise<{ readonly outcome: Promise<string> }> {
  const client = new OpenAI({ baseURL: `${scene.url}/v1`, apiKey: 'local', maxRetries: 0 })
  const stream = await client.completions.create({
    model: 'gpt-oss-20b',
    prompt: '#',
    max_tokens: maxTokens,
    ...further,
    stream: true,
  })
  const chunks = stream[Symbol.asyncIterator]()
  const first = await chunks.next()
  const read = async (): Promise<string> => {
    let text = ''
    for (let next = first; next.done !== true; next = await chunks.next()) {
      text += next.value.choices[0]?.text ?? ''
    }
    const isExact = '0123456789'.repeat(text.length).startsWith(text)
    return `${isExact ? 'exact' : 'garbled'}, ${text.length} digits`
  }
  return { outcome: read().catch((error: unknown) => `broken: ${messageOf(error)}`) }
}

/** Takes seconds. */
const longCount = 1500

function kill(status: Status, signal: NodeJS.Signals): void {
  process.kill(status.engine.pid ?? 0, signal)
}

function ofKind(events: readonly JournalEvent[], kind: JournalKind): readonly JournalEvent[] {
  return events.filter((event) => event.kind === kind)
}

const crashes = [
  { signal: 'SIGKILL', cause: 'killed-by-os', words: 'killed from outside' },
  { signal: 'SIGSEGV', cause: 'signal', words: 'crashed (SIGSEGV)' },
] as const

describe('a crash', () => {
  test.for(crashes)(
    'while idle costs a load: $signal',
    async ({ signal, cause, words }, context) => {
      const scene = await realScene(context)
      const before = await scene.untilReady()
      kill(before, signal)
      await scene.untilReady(before.engine.pid)
      const { status, why, events } = await scene.see()
      expect(status.engine).toMatchObject({
        state: 'ready',
        restarts: 1,
        deaths: 1,
        safeMode: false,
        lastExit: { cause, message: expect.stringContaining(words) },
      })
      expect(why).toMatch(/^ready for .*: answering\n\nAll is well. The last stop\n/u)
      expect(why).toContain(words)
      expect(ofKind(events, 'exit')).toMatchObject([
        { facts: { cause, signal, pid: before.engine.pid, runId: 1 } },
      ])
      expect(ofKind(events, 'decision')).toMatchObject([
        { message: 'Start it again at once (1 death)' },
      ])
      await expectSound(scene)
    },
  )

  test('in the middle of a prompt is not noticed by its app', async (context) => {
    const scene = await realScene(context)
    const before = await scene.untilReady()
    const asked = scene.chat('word '.repeat(1500))
    await scene.untilLogged(/cached n_tokens = [2-9]\d{3}, memory_seq_rm/u)
    kill(before, 'SIGKILL')
    expect(await asked).toMatchObject({ status: 200 })
    const { status, why, events } = await scene.see()
    expect(status).toMatchObject({
      engine: { restarts: 1, lastExit: { cause: 'killed-by-os' } },
      proxy: { inFlight: 0, replayed: 1, failed: 0 },
    })
    expect(why).toContain('killed from outside')
    // What it did last is the evidence; what it was asked is nobody's business.
    expect(ofKind(events, 'exit')[0]?.evidence.join('\n')).toContain('cached n_tokens = ')
    expect(JSON.stringify(events)).not.toContain('word word')
    await expectSound(scene)
  })

  test('in the middle of a stream is not noticed by its app: it goes on where it was', async (context) => {
    const scene = await realScene(context)
    const before = await scene.untilReady()
    const { outcome } = await startCounting(scene, longCount)
    kill(before, 'SIGSEGV')
    expect(await outcome).toBe(`exact, ${longCount} digits`)
    const { status, why } = await scene.see()
    expect(status).toMatchObject({
      engine: { restarts: 1, lastExit: { cause: 'signal' } },
      proxy: { inFlight: 0, continued: 1, failed: 0 },
    })
    expect(why).toContain('crashed (SIGSEGV)')
    await expectSound(scene)
  })

  test('in the middle of a stream that cannot go on is an error for its app, never a clean end', async (context) => {
    const scene = await realScene(context)
    const before = await scene.untilReady()
    // Of log probabilities the proxy cannot tell how to go on.
    const { outcome } = await startCounting(scene, longCount, { logprobs: 1 })
    kill(before, 'SIGKILL')
    expect(await outcome).toMatch(/^broken: (?:Cannot |terminated)/u)
    await scene.untilReady(before.engine.pid)
    const { proxy } = await scene.now()
    expect(proxy).toMatchObject({ inFlight: 0, continued: 0, failed: 1 })
    await expectSound(scene)
  })

  test('at the start is tried again, and whoever asked meanwhile gets an answer', async (context) => {
    const scene = await realScene(context)
    const asked = scene.chat()
    const before = await scene.until(({ engine }) => engine.pid !== null)
    kill(before, 'SIGKILL')
    expect(before.engine.state).toBe('starting')
    await scene.untilReady(before.engine.pid)
    expect(await asked).toMatchObject({ status: 200 })
    const { status, why, events } = await scene.see()
    expect(status.engine).toMatchObject({ restarts: 1, deaths: 1 })
    expect(why).toContain('killed from outside')
    expect(ofKind(events, 'exit')).toMatchObject([{ facts: { pid: before.engine.pid } }])
    await expectSound(scene)
  })
})

describe('a crash loop', () => {
  const settings = {
    'restart.baseDelay': '300ms',
    'restart.maxDelay': '400ms',
    'restart.safeModeAfter': 3,
    'restart.giveUpAfter': 2,
  }

  test('goes on in safe mode, then gives up with its story; restart clears it all', async (context) => {
    const scene = await realScene(context, settings)
    await scene.untilReady()
    const told: string[] = []
    const killed = new Set<number>()
    for await (const status of scene.follow()) {
      const { state, pid, detail, safeMode } = status.engine
      told.push(`${state}${safeMode ? ' (safe)' : ''}: ${detail}`)
      if (state === 'failed') break
      // It dies as soon as it is ready.
      if (state !== 'ready' || pid === null || killed.has(pid)) continue
      killed.add(pid)
      kill(status, 'SIGKILL')
    }
    expect(killed.size).toBe(5)
    const story = told.join('\n')
    expect(story).toMatch(/^backoff: next try in \d+ ms, 2 deaths in 10 min$/mu)
    expect(story).toMatch(
      /^backoff \(safe\): next try in safe mode in \d+ ms, 3 deaths in 10 min$/mu,
    )
    expect(story).toMatch(/^ready \(safe\): answering in safe mode after 3 deaths in 10 min$/mu)
    await expectGivenUp(scene)
    const { exitCode } = await scene.oss20bd('restart')
    expect(exitCode).toBe(0)
    expect((await scene.status()).engine).toMatchObject({
      state: 'ready',
      deaths: 0,
      safeMode: false,
    })
    await expectSound(scene)
  })

  async function expectGivenUp(scene: DaemonScene): Promise<void> {
    const { status, why, events } = await scene.see()
    expect(status.engine).toMatchObject({ state: 'failed', pid: null, deaths: 5 })
    expect(status.engine.detail).toMatch(/^gave up: .*killed.*it died 5 times/u)
    expect(why).toMatch(/^failed for /u)
    expect(why).toContain('llama-server died 5 times within ')
    expect(why).toMatch(/What to do\n.*oss20bd restart/u)
    expect(ofKind(events, 'decision').map(({ message }) => message)).toEqual([
      'Start it again at once (1 death)',
      expect.stringMatching(/^Start it again in \d+ ms \(2 deaths in 10 min\)$/u),
      expect.stringMatching(/^Start it again in \d+ ms, in safe mode: .*\(3 deaths in 10 min\)$/u),
      expect.stringMatching(/^Start it again in \d+ ms \(4 deaths in 10 min\)$/u),
      expect.stringMatching(/^Gave up after 5 deaths in 10 min: /u),
    ])
    const { exitCode, stdout } = await scene.oss20bd('status')
    expect({ exitCode, stdout }).toEqual({
      exitCode: 4,
      stdout: expect.stringMatching(/^failed for /u),
    })
    expect(await scene.chat()).toMatchObject({
      status: 503,
      body: expect.stringMatching(/"message":"Cannot answer: The engine does not run: .*killed/u),
    })
  }
})

describe('a hang (SIGSTOP)', () => {
  const quick = { 'health.hangTimeout': '5s', 'health.scrapeInterval': '1s' }

  async function expectHang(scene: DaemonScene, before: Status): Promise<readonly JournalEvent[]> {
    await scene.untilReady(before.engine.pid)
    const { status, why, events } = await scene.see()
    expect(status.engine).toMatchObject({
      restarts: 1,
      deaths: 1,
      lastExit: { cause: 'hang', message: expect.stringContaining('It stood still and was ended') },
    })
    expect(why).toMatch(/ hang {11}The engine stands still: it does not answer/u)
    expect(ofKind(events, 'hang')).toMatchObject([{ facts: { runId: 1, pid: before.engine.pid } }])
    expect(await readProcessIdentity(before.engine.pid ?? 0)).toBeNull()
    await expectSound(scene)
    return events
  }

  test.concurrent('while idle is found, recorded and ended', async (context) => {
    const scene = await realScene(context, quick)
    const before = await scene.untilReady()
    // Long enough to be measured.
    await (
      await startCounting(scene, 2000)
    ).outcome
    // It has told its counters.
    await scene.untilAsked(({ throughput }) => throughput.generatedTokensPerSecond !== null)
    kill(before, 'SIGSTOP')
    const events = await expectHang(scene, before)
    const [hang] = ofKind(events, 'hang')
    expect(hang?.facts).toMatchObject({
      requestsProcessing: expect.any(Number),
      generatedTokens: expect.any(Number),
    })
    const evidence = hang?.evidence ?? []
    expect(evidence[0]).toBe('slots: no answer')
    expect(evidence.join('\n')).toContain('slot')
  })

  test.concurrent('in the middle of a stream is a pause for its app', async (context) => {
    const scene = await realScene(context, quick)
    const before = await scene.untilReady()
    const { outcome } = await startCounting(scene, longCount)
    kill(before, 'SIGSTOP')
    expect(await outcome).toBe(`exact, ${longCount} digits`)
    await expectHang(scene, before)
  })
})

describe('what cannot work is not tried again, and wakes by itself once it can', () => {
  async function expectFailed(scene: DaemonScene, cause: string): Promise<void> {
    await scene.untilState('failed')
    const { status, why, events } = await scene.see()
    expect(status.engine).toMatchObject({ pid: null, restarts: 0, lastExit: { cause } })
    expect(why).toMatch(/^failed for /u)
    expect(why).toMatch(/What to do\n/u)
    const decision = 'Not tried again until the config, the model or the engine changes'
    expect(ofKind(events, 'decision').map(({ message }) => message)).toEqual([decision])
    const message = status.engine.lastExit?.message ?? ''
    const body = expect.stringContaining(JSON.stringify(message).slice(1, -1))
    expect(await scene.chat()).toMatchObject({ status: 503, body })
  }

  /** With no command: what the journal says of it. */
  async function awakeBecause(scene: DaemonScene): Promise<readonly string[]> {
    await scene.untilReady()
    await expectSound(scene)
    return ofKind(await scene.journal(), 'changed').map(({ message }) => message)
  }

  function changed(file: string): string {
    return `Changed: ${file}; the engine is tried again`
  }

  test.concurrent('a model that is missing', async (context) => {
    const scene = await realScene(context, {}, async () => undefined)
    await expectFailed(scene, 'model-missing')
    await putModel(scene.home)
    expect(await awakeBecause(scene)).toContain(changed(scene.home.file('models', 'current')))
  })

  test.concurrent('a model that is cut', async (context) => {
    const scene = await realScene(context, {}, async (home) => {
      await putModel(home)
      await truncate(home.file('models', 'current'), 500_000)
    })
    await expectFailed(scene, 'model-corrupt')
    await putModel(scene.home)
    expect(await awakeBecause(scene)).toContain(changed(scene.home.file('models', 'current')))
  })

  test.concurrent('an engine that is missing', async (context) => {
    let link = ''
    const scene = await daemonScene({
      onTestFinished: context.onTestFinished,
      config: {},
      prepare: async (home) => {
        await putModel(home)
        link = home.file('engines', 'current')
      },
    })
    await expectFailed(scene, 'engine-missing')
    await mkdir(scene.home.file('engines'), { recursive: true })
    await symlink(testEngineFolder(), link)
    expect(await awakeBecause(scene)).toContain(changed(join(link, 'bin', 'llama-server')))
  })

  test.concurrent('an option that the engine refuses', async (context) => {
    const config = { 'engine.path': engineFile, 'proxy.port': 0 }
    const scene = await realScene(context, { 'engine.extraArgs': ['--bogus-flag'] })
    await expectFailed(scene, 'bad-flag')
    const file = scene.home.file('config.toml')
    const { port } = new URL(scene.url)
    await writeFile(file, configText({ ...config, 'proxy.port': Number(port) }))
    expect(await awakeBecause(scene)).toContain(changed(file))
  })
})

describe('a command', () => {
  test('restart lets a stream finish first, and holds what is asked meanwhile', async (context) => {
    const scene = await realScene(context)
    const before = await scene.untilReady()
    const { outcome } = await startCounting(scene, 1000)
    const restarting = scene.oss20bd('restart')
    await scene.untilState('stopping')
    const asked = scene.chat()
    await scene.untilAsked(({ proxy }) => proxy.held === 1)
    expect(await outcome).toBe('exact, 1000 digits')
    expect(await asked).toMatchObject({ status: 200 })
    expect(await restarting).toMatchObject({ exitCode: 0 })
    const { status, why, events } = await scene.see()
    expect(status.engine.pid).not.toBe(before.engine.pid)
    expect(status).toMatchObject({
      engine: {
        deaths: 0,
        lastExit: { cause: 'asked' },
        lastStop: { unfinished: 0, endedBy: 'asked' },
      },
      proxy: { failed: 0 },
    })
    expect(why).toContain('Asked to restart the engine')
    expect(ofKind(events, 'stop-report')).toMatchObject([
      { message: 'No request was cut off; the engine left when asked' },
    ])
    await expectSound(scene)
  })

  test('unload gives the memory back, and the next request brings the model back', async (context) => {
    const scene = await realScene(context)
    const before = await scene.untilReady()
    const { exitCode, stdout } = await scene.oss20bd('unload')
    expect({ exitCode, stdout }).toEqual({
      exitCode: 0,
      stdout: expect.stringMatching(/^Unloaded: /u),
    })
    expect(await readProcessIdentity(before.engine.pid ?? 0)).toBeNull()
    const asleep = await scene.see()
    expect(asleep.status).toMatchObject({ wanted: 'up', engine: { state: 'asleep', pid: null } })
    expect(asleep.why).toMatch(
      /^asleep for .*: the model is unloaded; the next request loads it again/u,
    )
    await expectSound(scene)
    const { status, events } = await scene.see()
    expect(status.engine).toMatchObject({ state: 'ready', restarts: 1, deaths: 0 })
    expect(ofKind(events, 'decision')).toEqual([])
  })
})
