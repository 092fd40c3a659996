/** Recorded streams of the real engine, cut anywhere and gone on with. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Api } from '../../../../src/proxy/api.ts'
import { createSseCutter, writeEvent } from '../../../../src/proxy/stream/sse-events.ts'
import { startStory, type StreamStory } from '../../../../src/proxy/stream/stream-story.ts'
import { type Recording, RecordedEngine, recording } from './recorded-engine.ts'
import { substance, told } from './told.ts'

const names = [
  'chat-content',
  'chat-reasoning',
  'chat-whole',
  'completions',
  'responses-content',
  'responses-reasoning',
  'responses-whole',
  'messages-content',
  'messages-reasoning',
  'messages-whole',
]

function pass(story: StreamStory, bytes: Buffer, chunkBytes = bytes.length): Buffer {
  const cutter = createSseCutter()
  const out: Buffer[] = []
  for (let from = 0; from < bytes.length; from += chunkBytes) {
    for (const event of cutter.take(bytes.subarray(from, from + chunkBytes))) {
      out.push(story.take(event) ?? Buffer.alloc(0))
    }
  }
  return Buffer.concat(out)
}

function rest(engine: RecordedEngine, story: StreamStory): Buffer | null {
  const again = story.retry()
  if (again !== null) return again
  story.answered(story.questions().map(({ path, body }) => engine.count(path, body)))
  return story.continuation()
}

/** What the client gets when the parts of the answer are cut after these shares of them. */
function live(of: Recording, shares: readonly number[], chunkBytes?: number): Buffer {
  const engine = new RecordedEngine(of)
  const story = startStory(of.api, of.request)
  const out: Buffer[] = []
  let body: Buffer | null = Buffer.from(JSON.stringify(of.request))
  for (const share of [...shares, 1]) {
    if (body === null) throw new Error(`no continuation: ${story.obstacle}`)
    const answer = engine.answer(body)
    out.push(pass(story, answer.subarray(0, Math.floor(share * answer.length)), chunkBytes))
    if (story.seen.ended) break
    out.push(story.conclusion() ?? Buffer.alloc(0))
    if (story.seen.ended) break
    body = rest(engine, story)
  }
  if (!story.seen.ended) throw new Error(`no end: ${story.obstacle}`)
  return Buffer.concat(out)
}

describe.each(names)('the stream %s', (name) => {
  const of = recording(name)
  const body = Buffer.from(JSON.stringify(of.request))
  const uncut = new RecordedEngine(of).answer(body)
  const wanted = substance(told(of.api, uncut))

  it('is passed on as it is', () => {
    const story = startStory(of.api, of.request)
    expect(pass(story, uncut, 7).equals(uncut)).toBe(true)
    expect(story.seen).toMatchObject({ ended: true, contentPassed: true, error: null })
    expect(story.seen.generatedTokens).toBeGreaterThan(0)
    expect(story.seen.promptTokens).toBe(200)
  })

  it('is whole and one wherever it is cut, once or twice', () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true })
    fc.assert(
      fc.property(
        fc.array(share, { maxLength: 2 }),
        fc.integer({ min: 1, max: 400 }),
        (cuts, chunkBytes) => {
          const all = told(of.api, live(of, cuts, chunkBytes))
          expect(substance(all)).toEqual(wanted)
          expect(all.created.size).toBeLessThanOrEqual(1)
        },
      ),
      { numRuns: 150 },
    )
  })

  it('is whole and one when it is cut before and after each event', () => {
    let at = 0
    for (const event of createSseCutter().take(uncut)) {
      at += event.length
      for (const bytes of [at - 1, at, at + 1]) {
        expect(substance(told(of.api, live(of, [bytes / uncut.length])))).toEqual(wanted)
      }
    }
  })
})

const messages = [{ role: 'user', content: 'hi' }]
const chat = { stream: true, messages }
const role = chunk({ role: 'assistant', content: null })
const thought = chunk({ reasoning_content: 'Well' })
const word = chunk({ content: 'Yes' })

function chunk(delta: object): Buffer {
  const choices = [{ finish_reason: null, index: 0, delta }]
  return writeEvent(null, JSON.stringify({ choices, created: 1, id: 'chatcmpl-1', model: 'm' }))
}

function errorOf(message: string): Buffer {
  return writeEvent(null, JSON.stringify({ error: { code: 500, message, type: 'server_error' } }))
}

function storyOf(api: Api, request: unknown, ...events: Buffer[]): StreamStory {
  const story = startStory(api, request)
  for (const event of events) story.take(event)
  return story
}

describe('a stream cannot go on', () => {
  const said = [role, thought, word]
  it.each<[why: string, request: object, events: Buffer[]]>([
    ['it is no stream', { messages }, said],
    ['nothing was said yet', chat, [role]],
    ['it has more than one choice', { ...chat, n: 2 }, said],
    ['it has logprobs', { ...chat, logprobs: true }, said],
    ['the request sets grammar', { ...chat, grammar: 'root ::= "a"' }, said],
    ['the request sets json_schema', { ...chat, json_schema: {} }, said],
    ['the request sets mirostat', { ...chat, mirostat: 2 }, said],
    ['its format is prescribed', { ...chat, response_format: { type: 'json_object' } }, said],
    ['a tool call is demanded', { ...chat, tools: [{}], tool_choice: 'required' }, said],
    ['with tools, its content may be the beginning of a tool call', { ...chat, tools: [{}] }, said],
    ['a tool call has begun', { ...chat, tools: [{}] }, [thought, chunk({ tool_calls: [{}] })]],
    ['its content began without reasoning', chat, [role, word]],
    ['reasoning came after content', chat, [thought, word, thought]],
    ['its reasoning has a budget of its own', { ...chat, thinking_budget_tokens: 9 }, [thought]],
    ['it ends in the beginning of a stop sequence', { ...chat, stop: 'sure' }, said],
    [
      'its last message is the beginning of the answer',
      { stream: true, messages: [{ role: 'assistant', content: 'Y' }] },
      said,
    ],
    ['it ended in an error', chat, [...said, errorOf('no idea')]],
    ['it has ended', chat, [...said, Buffer.from('data: [DONE]\n\n')]],
    ['it has an event that is too long', chat, [...said, Buffer.from('data: {"choices')]],
  ])('because %s', (why, request, events) => {
    const story = storyOf('chat', request, ...events)
    expect(story.obstacle).toBe(why)
    expect(story.canContinue()).toBe(false)
    expect(story.questions()).toEqual([])
    expect(story.continuation()).toBeNull()
  })

  it.each<[request: object, events: Buffer[]]>([
    [{ ...chat, tools: [{}] }, [role, thought]],
    [{ ...chat, tools: [{}], tool_choice: 'none' }, said],
    [{ ...chat, n: 1, logprobs: false, response_format: { type: 'text' }, stop: ['x'] }, said],
    [{ ...chat, thinking_budget_tokens: 9 }, said],
  ])('but it can when asked %j', (request, events) => {
    expect(storyOf('chat', request, ...events).obstacle).toBeNull()
  })

  it('before its tokens are counted, or when the counts make no sense', () => {
    const story = storyOf('chat', chat, ...said)
    expect(story.continuation()).toBeNull()
    story.answered([{ input_tokens: 7 }, { error: {} }])
    expect(story.continuation()).toBeNull()
    story.answered([{ input_tokens: 7 }, { input_tokens: 7 }])
    expect(story.continuation()).toBeNull()
  })

  it('a third time', () => {
    const story = storyOf('chat', chat, ...said)
    for (const _ of [1, 2]) {
      story.answered([{ input_tokens: 7 }, { input_tokens: 9 }])
      expect(story.continuation()).not.toBeNull()
    }
    expect(story.obstacle).toBe('it went on twice already')
    expect(story.seen.continuations).toBe(2)
  })

  it('of a completion with tokens that show no text', () => {
    const request = { stream: true, prompt: 'a' }
    const token = (text: string): Buffer =>
      writeEvent(null, JSON.stringify({ id: 'c', choices: [{ text, finish_reason: null }] }))
    const counts = [{ tokens: [1] }, { tokens: [1, 2, 3] }]
    const held = storyOf('completions', request, token(''), token('bc'))
    held.answered(counts)
    expect(held.continuation()).not.toBeNull()
    const lost = storyOf('completions', request, token('b'), token(''), token('c'))
    lost.answered(counts)
    expect(lost.obstacle).toBe('some of its tokens may show no text')
    expect(lost.continuation()).toBeNull()
  })
})

describe('the budget', () => {
  it.each([
    [{ max_tokens: 10 }, { max_tokens: 8 }],
    [
      { max_tokens: 10, max_completion_tokens: 20, n_predict: -1 },
      { max_tokens: 8, max_completion_tokens: 18, n_predict: -1 },
    ],
    [{ max_tokens: 2 }, { max_tokens: 1 }],
    [{ max_tokens: null }, { max_tokens: null }],
  ])('%j becomes %j after two tokens', (before, after) => {
    const story = storyOf('chat', { ...chat, ...before }, role, thought)
    story.answered([{ input_tokens: 7 }, { input_tokens: 9 }])
    expect(JSON.parse(String(story.continuation()))).toEqual({
      ...chat,
      ...after,
      messages: [...messages, { role: 'assistant', reasoning_content: 'Well', content: '' }],
      continue_final_message: 'reasoning_content',
      add_generation_prompt: false,
    })
  })

  it('of messages is lowered from what the engine takes for it', () => {
    const thinking = { type: 'thinking_delta', thinking: 'Well' }
    const event = JSON.stringify({ type: 'content_block_delta', index: 0, delta: thinking })
    const story = storyOf('messages', chat, writeEvent('content_block_delta', event))
    story.answered([{ input_tokens: 7 }, { input_tokens: 9 }])
    expect(JSON.parse(String(story.continuation()))).toMatchObject({ max_tokens: 4094 })
  })
})

describe('an error of the engine', () => {
  const malformed = 'The model produced output that does not match the expected peg-native format'

  it.each(['chat-malformed', 'responses-malformed', 'messages-malformed'])(
    'of %s is kept back once, and then passed on',
    (name) => {
      const { api, request, stream } = recording(name)
      const story = startStory(api, request)
      const first = pass(story, stream)
      expect(told(api, first)).toMatchObject({ openings: 1, errors: [] })
      expect(story.seen).toMatchObject({ error: 'malformed-harmony', contentPassed: false })
      expect(told(api, story.seen.withheld ?? Buffer.alloc(0)).errors).toHaveLength(1)
      expect(story.retry()).toEqual(Buffer.from(JSON.stringify(request)))
      expect(story.seen).toMatchObject({ error: null, withheld: null })
      expect(told(api, pass(story, stream))).toMatchObject({
        openings: 0,
        errors: [expect.any(String)],
      })
      expect(story.retry()).toBeNull()
    },
  )

  it('is passed on once the model has spoken', () => {
    const story = storyOf('chat', chat, role, thought)
    const error = errorOf(malformed)
    expect(story.take(error)).toBe(error)
    expect(story.retry()).toBeNull()
  })

  it.each<[events: Buffer[], canRetry: boolean]>([
    [[role], true],
    [[role, thought], false],
  ])('in computing is kept back for a retry or a continuation', (events, canRetry) => {
    const story = storyOf('chat', chat, ...events)
    const error = errorOf('Compute error.')
    expect(story.take(error)).toBeNull()
    expect(story.seen).toMatchObject({ error: 'compute-error', withheld: error })
    expect(story.canContinue()).toBe(!canRetry)
    expect(story.retry() !== null).toBe(canRetry)
  })
})

it('what the engine repeats otherwise than it was said ends the story', () => {
  const of = recording('messages-whole')
  const engine = new RecordedEngine(of)
  const story = startStory(of.api, of.request)
  pass(story, engine.answer(Buffer.from(JSON.stringify(of.request))).subarray(0, 900))
  story.answered(story.questions().map(({ path, body }) => engine.count(path, body)))
  expect(story.continuation()).not.toBeNull()
  const thinking = { type: 'thinking_delta', thinking: 'Another thought' }
  const json = { type: 'content_block_delta', index: 0, delta: thinking }
  expect(story.take(writeEvent('content_block_delta', JSON.stringify(json)))).toBeNull()
  expect(story.seen).toMatchObject({ ended: false, error: 'other' })
  expect(story.canContinue()).toBe(false)
})

it('native streams are passed on and never continued', () => {
  const story = startStory('native', { prompt: 'a', stream: true })
  expect(story.retry()).toEqual(Buffer.from('{"prompt":"a","stream":true}'))
  const event = writeEvent(null, '{"content":"a","stop":false}')
  expect(story.take(event)).toBe(event)
  const last = {
    stop: true,
    tokens_predicted: 4,
    tokens_evaluated: 3,
    timings: { predicted_per_second: 9 },
  }
  story.take(writeEvent(null, JSON.stringify(last)))
  expect(story.seen).toMatchObject({
    ended: true,
    generatedTokens: 4,
    promptTokens: 3,
    generatedPerSecond: 9,
  })
  expect([story.canContinue(), story.retry(), story.continuation()]).toEqual([false, null, null])
})

it('comments and what is no JSON are passed on as they are', () => {
  const story = storyOf('chat', chat, role, thought)
  for (const text of [':\n\n', ': ping\n\n', 'data: null\n\n', 'data: {oh\n\n', 'id: 4\n\n']) {
    const event = Buffer.from(text)
    expect(story.take(event)).toBe(event)
  }
})
