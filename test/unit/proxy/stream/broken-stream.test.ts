import OpenAI from 'openai'
import { Stream } from 'openai/core/streaming'
import { expect, it } from 'vitest'
import {
  brokenStreamEnd,
  CONTINUED_COMMENT,
  WAITING_COMMENT,
} from '../../../../src/proxy/stream/broken-stream.ts'
import { readEvent } from '../../../../src/proxy/stream/sse-events.ts'

const error = { message: 'Cannot finish the answer: the engine died', code: 'engine_died' }

it.each(['chat', 'completions', 'responses', 'native'] as const)(
  'the OpenAI client sees the end of a broken stream of %s as an error',
  async (api) => {
    const body = Buffer.concat([Buffer.from(WAITING_COMMENT), brokenStreamEnd(api, error)])
    const stream = Stream.fromSSEResponse(new Response(body), new AbortController())
    const reading = all(stream)
    await expect(reading).rejects.toBeInstanceOf(OpenAI.APIError)
    await expect(reading).rejects.toMatchObject({
      code: 'engine_died',
      error: { ...error, src: 'oss20bd' },
    })
  },
)

it('has the shape of the Anthropic API', () => {
  const { name, data } = readEvent(brokenStreamEnd('messages', error))
  expect(name).toBe('error')
  expect(JSON.parse(String(data))).toEqual({
    type: 'error',
    error: { type: 'api_error', ...error, src: 'oss20bd' },
  })
})

it('has the fields of an error event of OpenAI responses', () => {
  const { name, data } = readEvent(brokenStreamEnd('responses', error))
  expect(name).toBe('error')
  expect(JSON.parse(String(data))).toMatchObject({ type: 'error', param: null, ...error })
})

it.each([CONTINUED_COMMENT, WAITING_COMMENT])('%j is a comment', (comment) => {
  expect(readEvent(Buffer.from(comment))).toEqual({ name: null, data: null })
})

async function all(stream: AsyncIterable<unknown>): Promise<unknown[]> {
  const events = []
  for await (const event of stream) events.push(event)
  return events
}
