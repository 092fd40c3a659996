import { existsSync, readdirSync } from 'node:fs'
import { mkdir, symlink } from 'node:fs/promises'
import { execa } from 'execa'
import OpenAI from 'openai'
import { beforeAll, afterAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { TEST_MODEL_ANSWER, TEST_MODEL_REASONING } from '../../src/model/test-vocabulary.ts'
import { readProcessIdentity } from '../../src/process-identity.ts'
import { binFile, freePort } from '../helpers/cli.ts'
import { tempDir, type TempDir } from '../helpers/temp-dir.ts'
import { testEngineFolder } from '../helpers/test-engine.ts'

/** A new user's home: nothing in it but a built engine, so that nothing is compiled here. */
let home: TempDir
let port: number

beforeAll(async () => {
  home = await tempDir()
  port = await freePort()
  await mkdir(home.file('engines'))
  await symlink(testEngineFolder(), home.file('engines', 'current'))
})

afterAll(async () => {
  await oss20bd(['stop'])
  await home[Symbol.asyncDispose]()
})

interface Ended {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

async function oss20bd(args: readonly string[]): Promise<Ended> {
  const { exitCode, stdout, stderr } = await execa(process.execPath, [binFile, ...args], {
    reject: false,
    extendEnv: false,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: home.path,
      OSS20BD_HOME: home.path,
      OSS20BD_PROXY_PORT: String(port),
      OSS20BD_ENGINE_PATH: `${testEngineFolder()}/bin/llama-server`,
    },
  })
  return { exitCode: exitCode ?? null, stdout, stderr }
}

const statusSchema = z.looseObject({
  daemon: z.looseObject({ pid: z.number() }),
  engine: z.looseObject({ pid: z.number().nullable() }),
  proxy: z.looseObject({ inFlight: z.number() }),
})

async function status(): Promise<z.infer<typeof statusSchema>> {
  const { stdout } = await oss20bd(['status', '--json'])
  return statusSchema.parse(JSON.parse(stdout))
}

function client(): OpenAI {
  return new OpenAI({ baseURL: `http://127.0.0.1:${port}/v1`, apiKey: 'local', maxRetries: 0 })
}

async function ask(): Promise<OpenAI.Chat.ChatCompletionMessage & { reasoning_content?: string }> {
  const completion = await client().chat.completions.create({
    model: 'gpt-oss-20b',
    messages: [{ role: 'user', content: 'hi' }],
  })
  const message = completion.choices[0]?.message
  if (message === undefined) throw new Error('no choice')
  return message
}

async function untilGone(pid: number): Promise<void> {
  await expect.poll(() => readProcessIdentity(pid), { timeout: 10_000, interval: 20 }).toBeNull()
}

describe.sequential('a new user', () => {
  test('up gets a model, starts the daemon and shows the answer of the model', async () => {
    const { exitCode, stdout, stderr } = await oss20bd(['up', '--test-model'])
    expect(stderr).not.toMatch(/error/iu)
    expect(exitCode).toBe(0)
    expect(stdout).toContain(TEST_MODEL_ANSWER)
    expect(stdout).toMatch(/test model/iu)
    expect(await status()).toMatchObject({
      wanted: 'up',
      engine: { state: 'ready', version: '0.5.0', restarts: 0, lastExit: null },
      model: { name: 'gpt-oss-20b', testModel: true },
      proxy: { url: `http://127.0.0.1:${port}` },
    })
  })

  test('a second up changes nothing', async () => {
    const before = await status()
    expect((await oss20bd(['up', '--test-model'])).exitCode).toBe(0)
    const after = await status()
    expect([after.daemon.pid, after.engine.pid]).toEqual([before.daemon.pid, before.engine.pid])
  })

  test('the OpenAI client gets answer and reasoning, whole and streamed', async () => {
    expect(await ask()).toMatchObject({
      content: TEST_MODEL_ANSWER,
      reasoning_content: TEST_MODEL_REASONING,
    })
    let streamed = ''
    const stream = await client().chat.completions.create({
      model: 'gpt-oss-20b',
      messages: [{ role: 'user', content: 'hi' }],
      stream: true,
    })
    for await (const chunk of stream) streamed += chunk.choices[0]?.delta.content ?? ''
    expect(streamed).toBe(TEST_MODEL_ANSWER)
  })

  test('a SIGKILL of the engine in the middle of a request costs its app time only', async () => {
    const { engine } = await status()
    const counting = client().completions.create({
      model: 'gpt-oss-20b',
      prompt: '#',
      max_tokens: 5000,
    })
    await expect.poll(async () => (await status()).proxy.inFlight, { interval: 20 }).toBe(1)
    process.kill(engine.pid ?? 0, 'SIGKILL')
    expect((await counting).choices[0]?.text).toBe('0123456789'.repeat(500))
    expect((await ask()).content).toBe(TEST_MODEL_ANSWER)
    const after = await status()
    expect(after.engine).toMatchObject({ state: 'ready', restarts: 1 })
    expect(after.proxy).toMatchObject({ replayed: 1, failed: 0 })
  })

  test('a request during a restart waits for the new engine', async () => {
    const before = await status()
    const restarting = oss20bd(['restart'])
    await expect
      .poll(async () => (await status()).engine.pid, { interval: 10, timeout: 20_000 })
      .not.toBe(before.engine.pid)
    expect((await ask()).content).toBe(TEST_MODEL_ANSWER)
    expect((await restarting).exitCode).toBe(0)
  })

  test('a client that leaves ends its generation', async () => {
    const stream = await client().completions.create({
      model: 'gpt-oss-20b',
      prompt: '#',
      max_tokens: 30_000,
      stream: true,
    })
    let text = ''
    for await (const chunk of stream) {
      text += chunk.choices[0]?.text ?? ''
      if (text.length > 20) break
    }
    expect('0123456789'.repeat(10)).toContain(text.slice(0, 20))
    // One slot: this one is answered only because the first was cancelled.
    expect((await ask()).content).toBe(TEST_MODEL_ANSWER)
    await expect.poll(async () => (await status()).proxy.inFlight).toBe(0)
  })

  test('stop --engine keeps the port, which says why it cannot answer', async () => {
    expect((await oss20bd(['stop', '--engine'])).exitCode).toBe(0)
    await expect(ask()).rejects.toMatchObject({ status: 503 })
    expect((await oss20bd(['status'])).exitCode).toBe(4)
    expect((await oss20bd(['start'])).exitCode).toBe(0)
    expect((await ask()).content).toBe(TEST_MODEL_ANSWER)
  })

  test('a second daemon says who runs already', async () => {
    const { daemon } = await status()
    const { exitCode, stderr } = await oss20bd(['daemon'])
    expect(exitCode).toBe(1)
    expect(stderr).toContain(String(daemon.pid))
  })

  test('when the daemon is killed its engine dies, and the next start cleans up', async () => {
    const { daemon, engine } = await status()
    process.kill(daemon.pid, 'SIGKILL')
    await untilGone(daemon.pid)
    await untilGone(engine.pid ?? 0)
    expect((await oss20bd(['status'])).exitCode).toBe(3)
    expect((await oss20bd(['start'])).exitCode).toBe(0)
    expect((await ask()).content).toBe(TEST_MODEL_ANSWER)
  })

  test('stop leaves no process, socket or lock behind', async () => {
    const { daemon, engine } = await status()
    expect((await oss20bd(['stop'])).exitCode).toBe(0)
    await untilGone(daemon.pid)
    await untilGone(engine.pid ?? 0)
    expect(existsSync(home.file('run'))).toBe(true)
    expect(readdirSync(home.file('run'))).toEqual([])
    expect((await oss20bd(['stop'])).exitCode).toBe(0)
  })
})
