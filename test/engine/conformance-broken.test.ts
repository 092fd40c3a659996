/** What official clients see of a stream whose engine dies: all of it, or an error; never less with a clean end. */
import Anthropic from '@anthropic-ai/sdk'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { streamText } from 'ai'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TestModelVariant } from '../../src/model/test-vocabulary.ts'
import { type ClientScene, clientScene } from '../helpers/conformance.ts'

/** What an app has got from its client library when the stream is over. */
interface Heard {
  content: string
  reasoning: string
  /** The engine's word on why it stopped; nothing else is a clean end. */
  finish: string | null
  /** What the app has to catch. */
  error: unknown
  generatedTokens: number | null
}

type Tell = (part: Partial<Pick<Heard, 'content' | 'reasoning'>>) => void
type End = Partial<Pick<Heard, 'finish' | 'generatedTokens'>>

/** Reads a stream to its end with one way of one client library. */
type Listen = (url: string, tell: Tell) => Promise<End>

const model = 'gpt-oss-20b'
const messages = [{ role: 'user' as const, content: 'Count' }]
/** Takes about a second. */
const max_tokens = 1500
/** In characters. */
const disturbedAfter = 100

function openai(url: string): OpenAI {
  return new OpenAI({ baseURL: `${url}/v1`, apiKey: 'local', maxRetries: 0 })
}

function anthropic(url: string): Anthropic {
  return new Anthropic({ baseURL: url, apiKey: 'local', maxRetries: 0 })
}

type ChatRequest = Partial<OpenAI.ChatCompletionCreateParamsStreaming>

function chat(further: ChatRequest = {}): Listen {
  return async (url, tell) => {
    const stream = await openai(url).chat.completions.create({
      model,
      messages,
      max_tokens,
      stream_options: { include_usage: true },
      ...further,
      stream: true,
    })
    const end: End = {}
    for await (const { choices, usage } of stream) {
      const [choice] = choices
      tellDelta(tell, choice?.delta)
      if (typeof choice?.finish_reason === 'string') end.finish = choice.finish_reason
      if (usage !== undefined && usage !== null) end.generatedTokens = usage.completion_tokens
    }
    return end
  }
}

function tellDelta(tell: Tell, delta: object = {}): void {
  const { content, reasoning_content: reasoning } = Object(delta)
  tell({ content: content ?? '', reasoning: reasoning ?? '' })
}

const chatHelper: Listen = async (url, tell) => {
  const stream = openai(url).chat.completions.stream({
    model,
    messages,
    max_tokens,
    stream_options: { include_usage: true },
  })
  stream.on('chunk', ({ choices }) => tellDelta(tell, choices[0]?.delta))
  const { choices, usage } = await stream.finalChatCompletion()
  const generatedTokens = usage?.completion_tokens ?? null
  return { finish: choices[0]?.finish_reason ?? null, generatedTokens }
}

function completions(further: Partial<OpenAI.CompletionCreateParamsStreaming> = {}): Listen {
  return async (url, tell) => {
    const request = { model, prompt: '#', max_tokens, ...further, stream: true as const }
    const end: End = {}
    for await (const { choices, usage } of await openai(url).completions.create(request)) {
      tell({ content: choices[0]?.text ?? '' })
      if (typeof choices[0]?.finish_reason === 'string') end.finish = choices[0].finish_reason
      if (usage !== undefined && usage !== null) end.generatedTokens = usage.completion_tokens
    }
    return end
  }
}

function responses(further: Partial<OpenAI.Responses.ResponseCreateParamsStreaming> = {}): Listen {
  return async (url, tell) => {
    const request = { model, input: messages, max_output_tokens: max_tokens, ...further }
    const end: End = {}
    for await (const event of await openai(url).responses.create({ ...request, stream: true })) {
      if (event.type === 'response.output_text.delta') tell({ content: event.delta })
      if (event.type === 'response.reasoning_text.delta') tell({ reasoning: event.delta })
      if (event.type !== 'response.completed') continue
      end.finish = event.response.status ?? null
      end.generatedTokens = event.response.usage?.output_tokens ?? null
    }
    return end
  }
}

type MessageRequest = Partial<Anthropic.MessageCreateParamsStreaming>

function anthropicMessages(further: MessageRequest = {}): Listen {
  return async (url, tell) => {
    const request = { model, messages, max_tokens, ...further, stream: true as const }
    const end: End = {}
    let reason: string | null = null
    for await (const event of await anthropic(url).messages.create(request)) {
      if (event.type === 'content_block_delta') {
        if (event.delta.type === 'text_delta') tell({ content: event.delta.text })
        if (event.delta.type === 'thinking_delta') tell({ reasoning: event.delta.thinking })
      }
      if (event.type === 'message_delta') {
        reason = event.delta.stop_reason
        end.generatedTokens = event.usage.output_tokens
      }
      if (event.type === 'message_stop') end.finish = reason
    }
    return end
  }
}

const anthropicHelper: Listen = async (url, tell) => {
  const stream = anthropic(url).messages.stream({ model, messages, max_tokens })
  stream.on('text', (content) => tell({ content }))
  stream.on('thinking', (reasoning) => tell({ reasoning }))
  const { stop_reason: finish, usage } = await stream.finalMessage()
  return { finish, generatedTokens: usage.output_tokens }
}

const ai: Listen = async (url, tell) => {
  const baseURL = `${url}/v1`
  const provider = createOpenAICompatible({ name: 'oss20bd', baseURL, includeUsage: true })
  const result = streamText({
    model: provider(model),
    messages,
    maxOutputTokens: max_tokens,
    maxRetries: 0,
    onError: () => {},
  })
  const end: End = {}
  for await (const part of result.fullStream) {
    if (part.type === 'text-delta') tell({ content: part.text })
    if (part.type === 'reasoning-delta') tell({ reasoning: part.text })
    // This library hands an error on as a part, and its consumer is to look for it.
    if (part.type === 'error') throw part.error
    if (part.type !== 'finish') continue
    end.finish = part.finishReason
    end.generatedTokens = part.totalUsage.outputTokens ?? null
  }
  return end
}

/** Listens; `disturb` is called once a little of the count was heard. */
async function hear(listen: Listen, url: string, disturb: () => void): Promise<Heard> {
  const heard: Heard = {
    content: '',
    reasoning: '',
    finish: null,
    error: null,
    generatedTokens: null,
  }
  let isDisturbed = false
  const tell: Tell = ({ content = '', reasoning = '' }) => {
    heard.content += content
    heard.reasoning += reasoning
    if (isDisturbed || heard.content.length + heard.reasoning.length < disturbedAfter) return
    isDisturbed = true
    disturb()
  }
  return listen(url, tell).then(
    (end) => ({ ...heard, ...end }),
    (error: unknown) => ({ ...heard, error }),
  )
}

function undisturbed(): void {}

interface LiveScene {
  readonly url: string
  /** Hears a stream of which the engine is killed in the middle. */
  hearBroken(listen: Listen): Promise<Heard>
  hearWhole(listen: Listen): Promise<Heard>
  now(): ReturnType<ClientScene['daemon']['now']>
}

/** A daemon for all tests of a `describe`. */
function liveScene(
  variant: TestModelVariant,
  config: Readonly<Record<string, unknown>> = {},
): () => LiveScene {
  let scene: ClientScene
  beforeAll(async () => {
    scene = await clientScene(variant, config)
  })
  afterAll(() => scene[Symbol.asyncDispose]())
  return () => ({
    url: scene.portUrl,
    hearBroken: async (listen) => {
      const kill = await scene.ready()
      return hear(listen, scene.portUrl, () => kill('SIGKILL'))
    },
    hearWhole: async (listen) => {
      await scene.ready()
      return hear(listen, scene.portUrl, undisturbed)
    },
    now: () => scene.daemon.now(),
  })
}

const clients: [string, Listen][] = [
  ['openai: chat', chat()],
  ['openai: chat, by the stream helper', chatHelper],
  ['openai: completions', completions()],
  ['openai: responses', responses()],
  ['anthropic: messages', anthropicMessages()],
  ['anthropic: messages, by the stream helper', anthropicHelper],
  ['ai: streamText', ai],
]

/** It has come to an error that says what happened, after the beginning of the answer. */
function expectBroken(heard: Heard): void {
  expect(heard.finish).toBeNull()
  expect(messageIn(heard.error)).toMatch(
    /Cannot finish the answer: the connection to the engine ended/u,
  )
  expect((heard.content + heard.reasoning).length).toBeGreaterThanOrEqual(disturbedAfter)
}

/** Wherever the library puts it. */
function messageIn(error: unknown): string {
  return `${String(error)} ${JSON.stringify(error)}`
}

describe('with proxy.continueStreams off', () => {
  const scene = liveScene('counts-in-answer', { 'proxy.continueStreams': false })

  test.each(clients)('%s: an error', async (_client, listen) => {
    expectBroken(await scene().hearBroken(listen))
    expect((await scene().now()).proxy).toMatchObject({ inFlight: 0, continued: 0 })
  })
})

const schema = {
  type: 'object',
  properties: { a: { type: 'string', pattern: '^[0-9]+$' } },
  required: ['a'],
}
const json_schema = { name: 'count', schema, strict: true }
const tools = [{ name: 'count', input_schema: { ...schema, type: 'object' as const } }]

describe('with proxy.continueStreams on', () => {
  const scene = liveScene('counts-in-answer')

  test.each(clients)('%s: one unbroken answer, as without a death', async (_client, listen) => {
    const whole = await scene().hearWhole(listen)
    expect(whole).toMatchObject({ error: null, content: expect.stringMatching(/^(0123456789)+/u) })
    expect(whole.finish).not.toBeNull()
    const before = (await scene().now()).proxy.continued
    expect(await scene().hearBroken(listen)).toEqual(whole)
    expect((await scene().now()).proxy).toMatchObject({ inFlight: 0, continued: before + 1 })
  })

  const never: [string, Listen][] = [
    ['openai: chat, two choices', chat({ n: 2 })],
    ['openai: chat, logprobs', chat({ logprobs: true })],
    [
      'openai: chat, json_schema',
      chat({ temperature: 0, response_format: { type: 'json_schema', json_schema } }),
    ],
    ['openai: completions, two choices', completions({ n: 2 })],
    ['openai: completions, logprobs', completions({ logprobs: 1 })],
    [
      'openai: responses, json_schema',
      responses({ text: { format: { type: 'json_schema', ...json_schema } } }),
    ],
    [
      'anthropic: messages, a tool call demanded',
      anthropicMessages({ tools, tool_choice: { type: 'any' } }),
    ],
  ]

  test.each(never)('%s: an error, for it cannot go on exactly', async (_what, listen) => {
    const before = (await scene().now()).proxy.continued
    expectBroken(await scene().hearBroken(listen))
    expect((await scene().now()).proxy).toMatchObject({ inFlight: 0, continued: before })
  })
})

describe('in the middle of its reasoning', () => {
  const scene = liveScene('counts-in-reasoning')

  test.each(clients.filter(([client]) => !client.includes('completions')))(
    '%s: one unbroken answer, as without a death',
    async (_client, listen) => {
      const whole = await scene().hearWhole(listen)
      expect(whole).toMatchObject({ error: null, content: '' })
      expect(whole.reasoning).toMatch(/^(0123456789)+/u)
      const before = (await scene().now()).proxy.continued
      expect(await scene().hearBroken(listen)).toEqual(whole)
      expect((await scene().now()).proxy).toMatchObject({ inFlight: 0, continued: before + 1 })
    },
  )
})

/** Everything that must happen when an engine hangs does so at once, on four streams. */
describe('a stream that goes quiet because the engine hangs', () => {
  const quick = { 'health.hangTimeout': '5s', 'health.scrapeInterval': '1s' }
  /** One look at a silent engine takes two intervals; then its slots are asked for a second; one for the machine. */
  const deadlineMs = 5000 + 2 * 1000 + 1000 + 1000

  const four: Listen[] = [chat(), completions(), responses(), anthropicMessages()]

  async function hang(scene: ClientScene): Promise<{ heard: Heard[]; tookMs: number }> {
    const signal = await scene.ready()
    let waiting = four.length
    let stoppedAtMs = 0
    const stop = (): void => {
      waiting -= 1
      if (waiting > 0) return
      signal('SIGSTOP')
      stoppedAtMs = performance.now()
    }
    const heard = await Promise.all(four.map((listen) => hear(listen, scene.portUrl, stop)))
    return { heard, tookMs: performance.now() - stoppedAtMs }
  }

  test.concurrent('is ended with an error within the hang deadline', async () => {
    await using scene = await clientScene('counts-in-answer', {
      ...quick,
      'proxy.continueStreams': false,
    })
    const { heard, tookMs } = await hang(scene)
    for (const each of heard) expectBroken(each)
    expect(tookMs).toBeLessThan(deadlineMs)
  })

  test.concurrent('goes on after the hang deadline', async () => {
    await using scene = await clientScene('counts-in-answer', quick)
    await scene.ready()
    const whole = await Promise.all(four.map((listen) => hear(listen, scene.portUrl, undisturbed)))
    const { heard } = await hang(scene)
    expect(heard).toEqual(whole)
  })
})
