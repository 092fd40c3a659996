/** An answer that is cut anywhere goes on exactly, with the real engine. */
import http from 'node:http'
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestModelVariant } from '../../src/model/test-vocabulary.ts'
import type { Api } from '../../src/proxy/api.ts'
import { createSseCutter } from '../../src/proxy/stream/sse-events.ts'
import { startStory, type StreamStory } from '../../src/proxy/stream/stream-story.ts'
import { type RunningEngine, startEngine, testModelFile } from '../helpers/test-engine.ts'
import { substance, told } from '../unit/proxy/stream/told.ts'

const paths: Record<Exclude<Api, 'native'>, string> = {
  chat: '/v1/chat/completions',
  completions: '/v1/completions',
  responses: '/v1/responses',
  messages: '/v1/messages',
}
const variants = ['plain', 'counts-in-answer', 'counts-in-reasoning', 'malformed-harmony'] as const
type Variant = (typeof variants)[number]

const engines = new Map<Variant, RunningEngine>()
beforeAll(async () => {
  for (const variant of variants) {
    const flavour: { variant?: TestModelVariant } = variant === 'plain' ? {} : { variant }
    engines.set(variant, await startEngine(await testModelFile(flavour), ['-t', '1']))
  }
})
afterAll(async () => {
  await Promise.all([...engines.values()].map((engine) => engine.stop()))
})

function engineOf(variant: Variant): RunningEngine {
  const engine = engines.get(variant)
  if (engine === undefined) throw new Error(`no engine for ${variant}`)
  return engine
}

const messages = [{ role: 'user', content: 'Say “hé” 👋' }]
const input = messages
const withUsage = { stream: true, stream_options: { include_usage: true } }

const parameters = { type: 'object', properties: { a: { type: 'number' } } }
const tools = [{ type: 'function', function: { name: 'add', description: 'Adds', parameters } }]

const streams: [Exclude<Api, 'native'>, Variant, object][] = [
  ['chat', 'counts-in-answer', { ...withUsage, messages, max_tokens: 90 }],
  ['chat', 'counts-in-reasoning', { ...withUsage, messages, max_completion_tokens: 70 }],
  ['chat', 'plain', { ...withUsage, messages, stop: ['thinking about', 'quest'] }],
  ['chat', 'plain', { stream: true, messages, timings_per_token: true }],
  ['chat', 'counts-in-reasoning', { ...withUsage, messages, tools, max_tokens: 40 }],
  ['completions', 'counts-in-answer', { stream: true, prompt: '#01', max_tokens: 80 }],
  ['completions', 'counts-in-answer', { stream: true, prompt: [35, 48], n_predict: 80 }],
  [
    'completions',
    'counts-in-answer',
    {
      stream: true,
      prompt: ['#'],
      max_tokens: 60,
      stop: ['345x', '8901234x'],
      return_progress: true,
    },
  ],
  ['responses', 'counts-in-answer', { stream: true, input, max_output_tokens: 90 }],
  ['responses', 'counts-in-reasoning', { stream: true, input: 'Count', max_output_tokens: 70 }],
  ['responses', 'plain', { stream: true, input, instructions: 'Be brief' }],
  ['messages', 'counts-in-answer', { stream: true, messages, max_tokens: 90 }],
  ['messages', 'counts-in-reasoning', { stream: true, messages, max_tokens: 70 }],
  ['messages', 'plain', { stream: true, messages, system: 'Be brief' }],
]

/** Sends `body` and passes at most `limitBytes` of the answer to `story`; then the connection is cut. */
async function pass(
  engine: RunningEngine,
  path: string,
  body: Buffer,
  story: StreamStory,
  limitBytes: number,
): Promise<{ toClient: Buffer; bytes: number }> {
  const request = http.request({
    socketPath: engine.socketPath,
    path,
    method: 'POST',
    agent: false,
    headers: { 'content-type': 'application/json', 'content-length': body.length },
  })
  request.end(body)
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    request.once('response', resolve).once('error', reject)
  })
  const cutter = createSseCutter()
  const toClient: Buffer[] = []
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    const part = chunk.subarray(0, limitBytes - bytes)
    bytes += part.length
    for (const event of cutter.take(part)) toClient.push(story.take(event) ?? Buffer.alloc(0))
    if (bytes >= limitBytes) break
  }
  request.destroy()
  return { toClient: Buffer.concat(toClient), bytes }
}

/** The body of the request for the rest. */
async function rest(engine: RunningEngine, story: StreamStory): Promise<Buffer | null> {
  const again = story.retry()
  if (again !== null) return again
  const answers = []
  for (const { path, body } of story.questions()) {
    answers.push((await engine.post(path, JSON.parse(body.toString()))).body)
  }
  story.answered(answers)
  return story.continuation()
}

/** The same for each run: a failure can be repeated. */
function createDice(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 1103515245 + 12345) % 2147483648
    return Math.floor((state / 2147483648) * below)
  }
}

describe.each(streams)('%s of %s, asked %j', (api, variant, request) => {
  const path = paths[api]
  const body = Buffer.from(JSON.stringify(request))
  const hasStop = 'stop' in request

  it('is whole and the same wherever it is cut', async () => {
    const engine = engineOf(variant)
    const whole = await pass(engine, path, body, startStory(api, request), Infinity)
    const wanted = substance(told(api, whole.toClient))
    const dice = createDice(whole.bytes)
    const answers: unknown[] = []
    const refusals: (string | null)[] = []
    for (let cut = 0; cut < 10; cut += 1) {
      const story = startStory(api, request)
      // The first time at the very last byte: everything is said, and nothing is left of the budget.
      const limits = [cut === 0 ? whole.bytes - 1 : 1 + dice(whole.bytes)]
      if (cut % 2 === 1) limits.push(1 + dice(whole.bytes))
      const toClient = await live(engine, story, path, body, [...limits, Infinity])
      if (story.seen.ended) answers.push(substance(told(api, toClient)))
      else refusals.push(story.obstacle)
    }
    expect(answers).toEqual(answers.map(() => wanted))
    // Of a stream that a stop sequence may have ended, the last bytes, which are many in one so short.
    expect(refusals.filter((why) => !hasStop || why !== 'it may be at its end')).toEqual([])
    expect(answers.length).toBeGreaterThanOrEqual(5)
  })
})

/** All that the client gets when each part of the answer is cut after as many bytes. */
async function live(
  engine: RunningEngine,
  story: StreamStory,
  path: string,
  body: Buffer,
  limits: number[],
): Promise<Buffer> {
  const toClient: Buffer[] = []
  let next: Buffer | null = body
  for (const limit of limits) {
    if (next === null || story.seen.ended) break
    toClient.push((await pass(engine, path, next, story, limit)).toClient)
    if (story.seen.ended) break
    toClient.push(story.conclusion() ?? Buffer.alloc(0))
    if (!story.seen.ended) next = await rest(engine, story)
  }
  return Buffer.concat(toClient)
}

it.each(['chat', 'responses', 'messages'] as const)(
  'a malformed answer of %s is held back for one more try',
  async (api) => {
    const engine = engineOf('malformed-harmony')
    const request = { stream: true, messages, input, max_tokens: 20 }
    const body = Buffer.from(JSON.stringify(request))
    const story = startStory(api, request)
    const first = await pass(engine, paths[api], body, story, Infinity)
    expect(story.seen).toMatchObject({ error: 'malformed-harmony', contentPassed: false })
    expect(story.seen.withheld).not.toBeNull()
    const again = story.retry()
    expect(again).toEqual(body)
    const second = await pass(engine, paths[api], again ?? body, story, Infinity)
    expect(story.retry()).toBeNull()
    const all = told(api, Buffer.concat([first.toClient, second.toClient]))
    expect(all).toMatchObject({ openings: 1, ends: 0, content: '' })
    expect(all.errors).toHaveLength(1)
  },
)

const recorded: [file: string, api: Exclude<Api, 'native'>, Variant, request: object][] = [
  ['chat-content', 'chat', 'counts-in-answer', { ...withUsage, messages, max_tokens: 20 }],
  ['chat-reasoning', 'chat', 'counts-in-reasoning', { ...withUsage, messages, max_tokens: 9 }],
  ['chat-whole', 'chat', 'plain', { stream: true, messages }],
  ['completions', 'completions', 'plain', { stream: true, prompt: '#', max_tokens: 12 }],
  [
    'responses-content',
    'responses',
    'counts-in-answer',
    { stream: true, input: 'Count', max_output_tokens: 20 },
  ],
  [
    'responses-reasoning',
    'responses',
    'counts-in-reasoning',
    { stream: true, input, max_output_tokens: 9 },
  ],
  ['responses-whole', 'responses', 'plain', { stream: true, input }],
  ['messages-content', 'messages', 'counts-in-answer', { stream: true, messages, max_tokens: 20 }],
  [
    'messages-reasoning',
    'messages',
    'counts-in-reasoning',
    { stream: true, messages, max_tokens: 9 },
  ],
  ['messages-whole', 'messages', 'plain', { stream: true, messages }],
  ['chat-malformed', 'chat', 'malformed-harmony', { stream: true, messages }],
  ['responses-malformed', 'responses', 'malformed-harmony', { stream: true, input }],
  ['messages-malformed', 'messages', 'malformed-harmony', { stream: true, messages }],
]

/** What differs from one answer to the next, and what hangs on the machine. */
function shapeOf(stream: string): string {
  return stream
    .replaceAll(/(chatcmpl-|resp_|rs_|msg_)\w+/g, '$1')
    .replaceAll(/("model"|"system_fingerprint"):"[^"]*"/g, '$1')
    .replaceAll(
      /("created\w*"|"\w+_ms"|"\w+_per_second"|"cache\w*"|"prompt_n"|"input_tokens"):[\d.e+-]+/g,
      '$1',
    )
}

/** With OSS20BD_RECORD_STREAMS=1 the recordings are made anew. */
it.each(recorded)(
  'the recording %s is what the engine says',
  async (name, api, variant, request) => {
    const file = new URL(`../fixtures/streams/${name}.txt`, import.meta.url)
    const head = `: ${JSON.stringify({ api, request })}\n\n`
    const { toClient } = await pass(
      engineOf(variant),
      paths[api],
      Buffer.from(JSON.stringify(request)),
      startStory('native', request),
      Infinity,
    )
    const text = head + toClient.toString()
    if (process.env['OSS20BD_RECORD_STREAMS'] === '1') writeFileSync(file, text)
    expect(shapeOf(readFileSync(file, 'utf8'))).toBe(shapeOf(text))
  },
)
