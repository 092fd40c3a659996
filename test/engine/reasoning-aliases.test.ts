/** That an alias reaches the prompt: the real engine, whose template writes `Reasoning: low` and whose test model counts characters. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createModelNames } from '../../src/proxy/aliases.ts'
import type { Api } from '../../src/proxy/api.ts'
import { type RunningEngine, startEngine, testModelFile } from '../helpers/test-engine.ts'

const names = createModelNames({ base: 'gpt-oss-20b', aliases: [] })
const messages = [{ role: 'user', content: 'Hi' }]
const requests: readonly [Api, string, object, string][] = [
  ['chat', '/v1/chat/completions', { messages, max_tokens: 4 }, 'prompt_tokens'],
  ['responses', '/v1/responses', { input: 'Hi', max_output_tokens: 4 }, 'input_tokens'],
  ['messages', '/v1/messages', { messages, max_tokens: 4 }, 'input_tokens'],
]

let engine: RunningEngine

beforeAll(async () => {
  engine = await startEngine(await testModelFile())
})

afterAll(() => engine.stop())

/** `body` goes through the rewrite as the proxy does it. */
async function post(api: Api, path: string, body: object): Promise<unknown> {
  const sent = names.apply(api, Buffer.from(JSON.stringify(body))).body
  const rewritten: unknown = JSON.parse(sent.toString())
  const { status, body: answer } = await engine.post(path, { ...record(rewritten) })
  expect(status).toBe(200)
  return answer
}

async function promptTokens(
  [api, path, rest, counted]: (typeof requests)[number],
  model: string,
): Promise<number> {
  const answer = await post(api, path, { model, ...rest })
  const usage = record(record(answer)['usage'])
  // Anthropic counts apart what was known already.
  const cached = api === 'messages' ? Number(usage['cache_read_input_tokens'] ?? 0) : 0
  return Number(usage[counted]) + cached
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

test('the chat template writes the effort that the alias names', async () => {
  const body = { model: 'gpt-oss-20b:high', messages }
  const answer = await post('chat', '/apply-template', body)
  expect(record(answer)['prompt']).toContain('Reasoning: high\n')
})

test.each(requests.map((request) => [request[0], request] as const))(
  '%s: the prompt grows by the letters of the effort',
  async (_api, request) => {
    const plain = await promptTokens(request, 'gpt-oss-20b')
    const more = await Promise.all(
      ['low', 'medium', 'high'].map(
        async (effort) => (await promptTokens(request, `gpt-oss-20b:${effort}`)) - plain,
      ),
    )
    // The template says medium when nothing is said.
    expect(more).toEqual([-3, 0, -2])
  },
)
