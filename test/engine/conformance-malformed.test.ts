/** An answer that breaks its own format is tried once more, and then told as it is. */
import { readFile } from 'node:fs/promises'
import Anthropic from '@anthropic-ai/sdk'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { generateText } from 'ai'
import OpenAI from 'openai'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ClientScene, clientScene } from '../helpers/conformance.ts'

let scene: ClientScene

beforeAll(async () => {
  scene = await clientScene('malformed-harmony')
})

afterAll(() => scene[Symbol.asyncDispose]())

const model = 'gpt-oss-20b'
const messages = [{ role: 'user' as const, content: 'Hi' }]
const max_tokens = 50

function openai(url: string): OpenAI {
  return new OpenAI({ baseURL: `${url}/v1`, apiKey: 'local', maxRetries: 0 })
}

function anthropic(url: string): Anthropic {
  return new Anthropic({ baseURL: url, apiKey: 'local', maxRetries: 0 })
}

/** To its end, which does not come. */
async function drain(stream: PromiseLike<AsyncIterable<unknown>>): Promise<unknown[]> {
  const parts = []
  for await (const part of await stream) parts.push(part)
  return parts
}

type Ask = (url: string) => Promise<unknown>

const asked: [string, ask: Ask][] = [
  ['openai: chat', (url) => openai(url).chat.completions.create({ model, messages })],
  [
    'openai: chat, streamed',
    (url) => drain(openai(url).chat.completions.create({ model, messages, stream: true })),
  ],
  ['openai: responses', (url) => openai(url).responses.create({ model, input: messages })],
  [
    'openai: responses, streamed',
    (url) => drain(openai(url).responses.create({ model, input: messages, stream: true })),
  ],
  ['anthropic: messages', (url) => anthropic(url).messages.create({ model, messages, max_tokens })],
  [
    'anthropic: messages, streamed',
    (url) => drain(anthropic(url).messages.create({ model, messages, max_tokens, stream: true })),
  ],
  [
    'ai: generateText',
    (url) => {
      const provider = createOpenAICompatible({ name: 'oss20bd', baseURL: `${url}/v1` })
      return generateText({ model: provider(model), messages, maxRetries: 0 })
    },
  ],
]

function failureOf(ask: Ask, url: string): Promise<unknown> {
  return ask(url).then((answer) => ({ answer }), failure)
}

/** What an app sees of it. */
function failure(error: unknown): unknown {
  const { name, status, message, error: body } = Object(error)
  return { name, status, message, body }
}

/** Requests that the engine has begun to work at since it started, by its own log. */
async function worked(): Promise<number> {
  const log = await readFile(scene.daemon.home.file('logs', 'engine.log'), 'utf8')
  return log.match(/processing task, is_child = 0/gu)?.length ?? 0
}

/** The log follows a moment later, so that only the sum of all tests so far is sure. */
async function untilWorked(count: number): Promise<void> {
  await expect.poll(worked, { interval: 20, timeout: 5000 }).toBe(count)
}

/** The first is the token with which the engine has shown itself to be ready. */
let soFar = 1

test.each(asked)(
  '%s: the engine is asked twice, then its own error is passed',
  async (_what, ask) => {
    const { proxy, engine } = await scene.daemon.now()
    const direct = await failureOf(ask, scene.engineUrl)
    await untilWorked(soFar + 1)
    const ours = await failureOf(ask, scene.portUrl)
    await untilWorked(soFar + 3)
    soFar += 3
    expect(ours).toEqual(direct)
    expect(ours).toMatchObject({ message: expect.stringContaining('peg-native format') })
    const now = await scene.daemon.now()
    expect(now.proxy).toMatchObject({ inFlight: 0, replayed: proxy.replayed + 1 })
    expect(now.engine).toMatchObject({ pid: engine.pid, state: 'ready', restarts: 0, deaths: 0 })
  },
)
