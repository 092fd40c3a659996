import { afterEach, expect, it } from 'vitest'
import { TEST_MODEL_ANSWER, TEST_MODEL_REASONING } from '../../src/model/test-model.ts'
import { type RunningEngine, startEngine, testModelFile } from '../helpers/test-engine.ts'

let engine: RunningEngine | undefined

afterEach(async () => {
  await engine?.stop()
  engine = undefined
})

const whole = { content: TEST_MODEL_ANSWER, reasoning_content: TEST_MODEL_REASONING }
const hello = { messages: [{ role: 'user', content: 'hi' }], temperature: 1 }
const digits = (length: number): string => Array.from({ length }, (_, index) => index % 10).join('')

function reply(message: object, finishReason = 'stop'): object {
  return {
    status: 200,
    body: expect.objectContaining({
      choices: [
        expect.objectContaining({
          message: expect.objectContaining(message),
          finish_reason: finishReason,
        }),
      ],
    }),
  }
}

function completion(text: string): object {
  return {
    status: 200,
    body: expect.objectContaining({ choices: [expect.objectContaining({ text })] }),
  }
}

it('answers a chat with the fixed sentence and the fixed reasoning', async () => {
  engine = await startEngine(await testModelFile())
  expect(await engine.post('/v1/chat/completions', hello)).toEqual(reply(whole))
  const long = { role: 'user', content: `${'This is the test model. '.repeat(10)}#0123` }
  const turns = [...hello.messages, { role: 'assistant', content: TEST_MODEL_ANSWER }, long]
  expect(await engine.post('/v1/chat/completions', { messages: turns })).toEqual(reply(whole))
})

it('goes on from a piece of its own answer or reasoning that is sent back', async () => {
  engine = await startEngine(await testModelFile())
  const cut = (part: 'content' | 'reasoning_content', message: object): object => ({
    messages: [...hello.messages, { role: 'assistant', ...message }],
    continue_final_message: part,
    add_generation_prompt: false,
  })
  // Without streaming the engine gives back the whole text; the token count tells what was new.
  const inAnswer = { reasoning_content: TEST_MODEL_REASONING, content: upTo(' not') }
  expect(await engine.post('/v1/chat/completions', cut('content', inAnswer))).toEqual(ofTokens(11))
  const inReasoning = { reasoning_content: 'All words here were fixed beforehand: no', content: '' }
  expect(await engine.post('/v1/chat/completions', cut('reasoning_content', inReasoning))).toEqual(
    ofTokens(24),
  )
})

it('counts for ever on the prompt #, goes on from a cut count and answers any other prompt', async () => {
  engine = await startEngine(await testModelFile())
  const complete = (prompt: string): Promise<unknown> | undefined =>
    engine?.post('/v1/completions', { prompt, max_tokens: 200, temperature: 1 })
  expect(await complete('#')).toEqual(completion(digits(200)))
  expect(await complete('#0123456789012')).toEqual(completion(digits(203).slice(3)))
  expect(await complete('Once upon a time, ')).toEqual(completion(TEST_MODEL_ANSWER))
})

it('counts in the answer', async () => {
  engine = await startEngine(await testModelFile({ variant: 'counts-in-answer' }))
  const body = { ...hello, max_tokens: 114 }
  // The first 14 tokens are the reasoning and the markers around it.
  expect(await engine.post('/v1/chat/completions', body)).toEqual(
    reply({ content: digits(101), reasoning_content: TEST_MODEL_REASONING }, 'length'),
  )
})

it('counts in the reasoning', async () => {
  engine = await startEngine(await testModelFile({ variant: 'counts-in-reasoning' }))
  const body = { ...hello, max_tokens: 102 }
  expect(await engine.post('/v1/chat/completions', body)).toEqual(
    reply({ content: '', reasoning_content: digits(100) }, 'length'),
  )
})

it('provokes the malformed-harmony error', async () => {
  engine = await startEngine(await testModelFile({ variant: 'malformed-harmony' }))
  expect(await engine.post('/v1/chat/completions', hello)).toEqual({
    status: 500,
    body: {
      error: expect.objectContaining({
        message: expect.stringContaining('does not match the expected peg-native format'),
      }),
    },
  })
})

it('loads when padded to a given size', async () => {
  engine = await startEngine(await testModelFile({ paddedBytes: 64 * 2 ** 20 }))
  expect(await engine.post('/v1/chat/completions', hello)).toEqual(reply(whole))
})

/** The whole answer, of which the engine made only the last `count` tokens. */
function ofTokens(count: number): object {
  return {
    status: 200,
    body: expect.objectContaining({
      choices: [expect.objectContaining({ message: expect.objectContaining(whole) })],
      usage: expect.objectContaining({ completion_tokens: count }),
    }),
  }
}

function upTo(piece: string): string {
  return TEST_MODEL_ANSWER.slice(0, TEST_MODEL_ANSWER.indexOf(piece) + piece.length)
}
