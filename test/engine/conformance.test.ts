/** What apps get through the public port from the real engine is what they get from the engine itself. */
import Anthropic from '@anthropic-ai/sdk'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { generateText, jsonSchema, Output, streamText, tool, type ToolSet } from 'ai'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  TEST_MODEL_ANSWER,
  TEST_MODEL_REASONING,
  testVocabulary,
} from '../../src/model/test-vocabulary.ts'
import {
  type ClientScene,
  clientScene,
  createLikener,
  recordingFetch,
} from '../helpers/conformance.ts'

let scene: ClientScene

beforeAll(async () => {
  // The long context is for answers that would take far longer than to be given up.
  scene = await clientScene(null, { 'model.slots': 2, 'model.contextTokens': 131_072 })
})

afterAll(() => scene[Symbol.asyncDispose]())

interface Door {
  readonly url: string
  readonly fetch: typeof fetch
}

const model = 'gpt-oss-20b'
const messages = [{ role: 'user' as const, content: 'Say “hé” 👋' }]
const input = messages
const max_tokens = 200

/** What the model is bound to say: with this it is finite although the test model knows nothing of it. */
const parameters = {
  type: 'object' as const,
  properties: { a: { type: 'number', enum: [7] } },
  required: ['a'],
  additionalProperties: false,
}
const functions = { name: 'add', description: 'Adds', parameters }
/** A space is the one beginning of a tool call that is none of anything else. */
const towardsToolCall = { [testVocabulary(null).idOf('Ġ')]: 100_000 }

function openai({ url, fetch }: Door): OpenAI {
  return new OpenAI({ baseURL: `${url}/v1`, apiKey: 'local', maxRetries: 0, fetch })
}

function anthropic({ url, fetch }: Door): Anthropic {
  return new Anthropic({ baseURL: url, apiKey: 'local', maxRetries: 0, fetch })
}

function aiModel({ url, fetch }: Door) {
  const baseURL = `${url}/v1`
  const provider = createOpenAICompatible({
    name: 'oss20bd',
    baseURL,
    fetch,
    includeUsage: true,
    supportsStructuredOutputs: true,
  })
  return provider(model)
}

async function all<T>(stream: AsyncIterable<T> | Promise<AsyncIterable<T>>): Promise<T[]> {
  const parts: T[] = []
  for await (const part of await stream) parts.push(part)
  return parts
}

const aiTools: ToolSet = {
  add: tool({ description: 'Adds', inputSchema: jsonSchema<{ a: number }>(parameters) }),
}
const aiBound = {
  temperature: 0,
  maxRetries: 0,
  providerOptions: { oss20bd: { logit_bias: towardsToolCall } },
}
const chatFormat = {
  type: 'json_schema' as const,
  json_schema: { name: 'sum', schema: parameters, strict: true },
}
const chatTools = [{ type: 'function' as const, function: functions }]
const chatBound = {
  model,
  messages,
  temperature: 0,
  max_tokens,
  tools: chatTools,
  tool_choice: 'required' as const,
  logit_bias: towardsToolCall,
}
const responseTools = [{ type: 'function' as const, ...functions, strict: true }]
const responseBound = {
  model,
  input,
  temperature: 0,
  max_output_tokens: max_tokens,
  tools: responseTools,
  tool_choice: 'required' as const,
  logit_bias: towardsToolCall,
}
const anthropicTools = [{ name: 'add', description: 'Adds', input_schema: parameters }]

const answer = expect.stringContaining(TEST_MODEL_ANSWER)
const reasoning = expect.stringContaining(TEST_MODEL_REASONING)
const seven = expect.stringMatching(/^\{\s*"a"\s*:\s*7\s*\}$/)

type Ask = (door: Door) => Promise<unknown>

const asked: [what: string, ask: Ask, seen: unknown][] = [
  [
    'openai: chat',
    (door) => openai(door).chat.completions.create({ model, messages }),
    { choices: [{ message: { content: answer, reasoning_content: reasoning } }] },
  ],
  [
    'openai: chat, more than one turn, a seed, two choices',
    (door) =>
      openai(door).chat.completions.create({
        model,
        messages: [
          { role: 'system', content: 'Be brief' },
          ...messages,
          { role: 'assistant', content: 'Hé' },
          { role: 'user', content: [{ type: 'text', text: 'Again' }] },
        ],
        seed: 7,
        n: 2,
        stop: ['question'],
      }),
    { choices: [{ finish_reason: 'stop' }, { finish_reason: 'stop' }] },
  ],
  [
    'openai: chat, logprobs',
    (door) =>
      openai(door).chat.completions.create({ model, messages, logprobs: true, top_logprobs: 2 }),
    { choices: [{ logprobs: { content: expect.anything() } }] },
  ],
  [
    'openai: chat, streamed',
    async (door) => {
      const stream_options = { include_usage: true }
      const request = { model, messages, stream: true as const, stream_options }
      const chunks = await all(openai(door).chat.completions.create(request))
      const content = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')
      return { content, usage: chunks.at(-1)?.usage, chunks }
    },
    { content: answer, usage: { completion_tokens: expect.any(Number) } },
  ],
  [
    'openai: chat, by the stream helper',
    (door) => openai(door).chat.completions.stream({ model, messages }).finalChatCompletion(),
    { choices: [{ message: { content: answer } }] },
  ],
  [
    'openai: chat, a tool call',
    (door) => openai(door).chat.completions.create(chatBound),
    { choices: [{ message: { tool_calls: [{ function: { name: 'add', arguments: seven } }] } }] },
  ],
  [
    'openai: chat, a tool call, streamed',
    (door) => openai(door).chat.completions.stream(chatBound).finalChatCompletion(),
    { choices: [{ message: { tool_calls: [{ function: { name: 'add', arguments: seven } }] } }] },
  ],
  [
    'openai: chat, structured output',
    (door) =>
      openai(door).chat.completions.parse({
        model,
        messages,
        temperature: 0,
        response_format: chatFormat,
      }),
    { choices: [{ message: { content: seven } }] },
  ],
  [
    'openai: chat, structured output, streamed',
    (door) =>
      openai(door)
        .chat.completions.stream({ model, messages, temperature: 0, response_format: chatFormat })
        .finalChatCompletion(),
    { choices: [{ message: { content: seven } }] },
  ],
  [
    'openai: completions',
    (door) => openai(door).completions.create({ model, prompt: '#', max_tokens: 30 }),
    { choices: [{ text: '012345678901234567890123456789' }] },
  ],
  [
    'openai: completions, streamed',
    async (door) => {
      const request = { model, prompt: '#', max_tokens: 30, stream: true as const }
      const chunks = await all(openai(door).completions.create(request))
      return { text: chunks.map((chunk) => chunk.choices[0]?.text ?? '').join(''), chunks }
    },
    { text: '012345678901234567890123456789' },
  ],
  [
    'openai: responses',
    (door) => openai(door).responses.create({ model, input }),
    { status: 'completed', output_text: answer },
  ],
  [
    'openai: responses, streamed',
    async (door) => {
      const events = await all(openai(door).responses.create({ model, input, stream: true }))
      return { last: events.at(-1), events }
    },
    { last: { type: 'response.completed', response: { output: expect.anything() } } },
  ],
  [
    'openai: responses, a tool call',
    (door) => openai(door).responses.create(responseBound),
    { output: [{ type: 'function_call', name: 'add', arguments: seven }] },
  ],
  [
    'openai: responses, a tool call, streamed',
    async (door) => {
      const events = await all(openai(door).responses.create({ ...responseBound, stream: true }))
      return { last: events.at(-1), events }
    },
    { last: { response: { output: [{ type: 'function_call', arguments: seven }] } } },
  ],
  [
    'openai: embeddings, which the engine refuses',
    (door) => openai(door).embeddings.create({ model, input: 'x' }).catch(errorOf),
    { status: 501 },
  ],
  [
    'openai: a prompt that is too long',
    (door) =>
      openai(door)
        .completions.create({ model, prompt: 'word '.repeat(30_000), max_tokens: 1 })
        .catch(errorOf),
    { status: 400, error: { type: 'exceed_context_size_error' } },
  ],
  [
    'anthropic: messages',
    (door) => anthropic(door).messages.create({ model, messages, max_tokens }),
    { content: [{ thinking: reasoning }, { text: answer }], stop_reason: 'end_turn' },
  ],
  [
    'anthropic: messages, streamed',
    async (door) => {
      const request = { model, messages, max_tokens, stream: true as const }
      const events = await all(anthropic(door).messages.create(request))
      return { last: events.at(-1), events }
    },
    { last: { type: 'message_stop' } },
  ],
  [
    'anthropic: messages, by the stream helper, with tools',
    (door) =>
      anthropic(door)
        .messages.stream({ model, messages, max_tokens, system: 'Be brief', tools: anthropicTools })
        .finalMessage(),
    { content: [{ thinking: reasoning }, { text: answer }] },
  ],
  [
    'anthropic: count tokens',
    (door) => anthropic(door).messages.countTokens({ model, messages }),
    { input_tokens: expect.any(Number) },
  ],
  [
    'ai: generateText',
    async (door) => {
      const result = await generateText({ model: aiModel(door), messages, maxRetries: 0 })
      const { text, reasoningText, finishReason, usage } = result
      return { text, reasoningText, finishReason, out: usage.outputTokens }
    },
    { text: answer, reasoningText: reasoning, finishReason: 'stop' },
  ],
  [
    'ai: streamText',
    async (door) => {
      const result = streamText({ model: aiModel(door), messages, maxRetries: 0 })
      const parts = (await all(result.fullStream)).map((part) => [
        part.type,
        'text' in part ? part.text : null,
      ])
      const { outputTokens } = await result.usage
      return { text: await result.text, finish: await result.finishReason, outputTokens, parts }
    },
    { text: answer, finish: 'stop', outputTokens: expect.any(Number) },
  ],
  [
    'ai: a tool call',
    async (door) => {
      const request = { model: aiModel(door), messages, tools: aiTools, ...aiBound }
      const { toolCalls } = await generateText({ ...request, toolChoice: 'required' })
      return toolCalls.map(({ toolName, input: given }) => ({ toolName, given }))
    },
    [{ toolName: 'add', given: { a: 7 } }],
  ],
  [
    'ai: structured output',
    async (door) => {
      const schema = jsonSchema<{ a: number }>(parameters)
      const output = Output.object({ schema })
      const request = { model: aiModel(door), messages, temperature: 0, maxRetries: 0, output }
      return (await generateText(request)).output
    },
    { a: 7 },
  ],
]

/** Of an error what its app sees. */
function errorOf(error: unknown): unknown {
  if (!(error instanceof OpenAI.APIError)) throw error
  return { status: error.status, error: error.error }
}

async function through(url: string, ask: Ask): Promise<{ seen: unknown; wire: unknown }> {
  const recording = recordingFetch()
  const seen = await ask({ url, fetch: recording.fetch })
  return { seen: createLikener()(seen), wire: await recording.answers() }
}

describe('the same through the port as from the engine', () => {
  test.each(asked)('%s', async (_what, ask, seen) => {
    const direct = await through(scene.engineUrl, ask)
    const ours = await through(scene.portUrl, ask)
    expect(ours.seen).toMatchObject(Object(seen))
    expect(ours.seen).toEqual(direct.seen)
    expect(ours.wire).toEqual(direct.wire)
    expect(ours.wire).toHaveLength(1)
  })
})

describe('the names of the model', () => {
  const efforts = ['low', 'medium', 'high'] as const

  test('are listed to every client', async () => {
    const door = { url: scene.portUrl, fetch }
    const names = [model, ...efforts.map((effort) => `${model}:${effort}`)]
    const known = (await all(openai(door).models.list())).map(({ id }) => id)
    expect(known).toEqual(names)
  })

  /** Each way to say a name, and the way to say the same to the engine itself. */
  const said: [what: string, byName: (name: string) => Ask, byEffort: (name: string) => Ask][] = [
    [
      'openai: chat',
      (name) => (door) => openai(door).chat.completions.create({ model: name, messages }),
      (name) => (door) => {
        const reasoning_effort = effortIn(name)
        return openai(door).chat.completions.create({ model: name, messages, reasoning_effort })
      },
    ],
    [
      'openai: responses',
      (name) => (door) => openai(door).responses.create({ model: name, input }),
      (name) => (door) => {
        const effort = effortIn(name)
        return openai(door).responses.create({ model: name, input, reasoning: { effort } })
      },
    ],
    [
      'anthropic: messages',
      (name) => (door) => anthropic(door).messages.create({ model: name, messages, max_tokens }),
      (name) => (door) => {
        const chat_template_kwargs = { reasoning_effort: effortIn(name) }
        const request = { model: name, messages, max_tokens, chat_template_kwargs }
        return anthropic(door).messages.create(request)
      },
    ],
  ]

  function effortIn(name: string): (typeof efforts)[number] {
    return efforts.find((effort) => name.endsWith(`:${effort}`)) ?? 'medium'
  }

  test.each(said)('%s: a name asks for its effort', async (_what, byName, byEffort) => {
    const usages = []
    for (const effort of efforts) {
      const name = `${model}:${effort}`
      const ours = await through(scene.portUrl, byName(name))
      expect(ours).toEqual(await through(scene.engineUrl, byEffort(name)))
      usages.push(usageOf(ours.seen) - usageOf((await through(scene.portUrl, byName(model))).seen))
    }
    // The template writes the word, and this model's tokens are letters; it says medium by itself.
    expect(usages).toEqual(['low', 'medium', 'high'].map((word) => word.length - 'medium'.length))
  })

  function usageOf(seen: unknown): number {
    const usage: unknown = Object(seen)['usage']
    return Number(Object(usage)['prompt_tokens'] ?? Object(usage)['input_tokens'])
  }
})

describe('an app that leaves in the middle gives its slot back', () => {
  /** Half a minute at least. */
  const long = 60_000
  const prompt = '#'

  /** Each asks for very long answers, and gives up once `isUnderWay` is settled or some of it is there. */
  const leavers: [string, (door: Door, isUnderWay: () => Promise<void>) => Promise<unknown>][] = [
    [
      'openai: a stream whose loop is left',
      async (door) => {
        const request = { model, prompt, max_tokens: long, stream: true as const }
        for await (const chunk of await openai(door).completions.create(request)) {
          if (chunk.choices[0]?.text !== '') break
        }
      },
    ],
    [
      'openai: a stream that is aborted',
      async (door) => {
        const request = { model, prompt, max_tokens: long, stream: true as const }
        const stream = await openai(door).completions.create(request)
        for await (const chunk of stream)
          if (chunk.choices[0]?.text !== '') stream.controller.abort()
      },
    ],
    [
      'openai: a plain answer that is aborted',
      async (door, isUnderWay) => {
        const leaving = new AbortController()
        const request = { model, prompt, max_tokens: long }
        const answering = openai(door).completions.create(request, { signal: leaving.signal })
        const ended = answering.then(String, (error: unknown) => error)
        await isUnderWay()
        leaving.abort()
        expect(await ended).toBeInstanceOf(OpenAI.APIUserAbortError)
      },
    ],
    [
      'anthropic: a stream that is aborted',
      async (door) => {
        const stream = anthropic(door).messages.stream({ ...demanding, max_tokens: long })
        const ended = stream.finalMessage().then(String, (error: unknown) => error)
        stream.once('thinking', () => stream.abort())
        expect(await ended).toBeInstanceOf(Anthropic.APIUserAbortError)
      },
    ],
    [
      'ai: a stream that is aborted',
      async (door) => {
        const leaving = new AbortController()
        const result = streamText({
          model: aiModel(door),
          messages,
          maxRetries: 0,
          tools: aiTools,
          toolChoice: 'required',
          abortSignal: leaving.signal,
        })
        const parts: string[] = []
        for await (const { type } of result.fullStream) {
          parts.push(type)
          if (type === 'reasoning-delta') leaving.abort()
        }
        expect(parts.at(-1)).toBe('abort')
      },
    ],
  ]

  /** The test model knows no tools and thinks for ever. */
  const demanding = {
    model,
    messages,
    tools: anthropicTools,
    tool_choice: { type: 'any' as const },
  }

  test.each(leavers)('%s', async (_what, leave) => {
    expect(await scene.busySlots()).toBe(0)
    const before = (await scene.daemon.now()).proxy.failed
    await leave({ url: scene.portUrl, fetch }, () =>
      expect.poll(() => scene.busySlots(), { interval: 10 }).toBe(1),
    )
    // The engine looks whether anybody still listens once it has been left alone for a second, also by us.
    await expect.poll(() => scene.busySlots(), { interval: 1500, timeout: 10_000 }).toBe(0)
    expect((await scene.daemon.now()).proxy).toMatchObject({ inFlight: 0, failed: before })
  })
})
