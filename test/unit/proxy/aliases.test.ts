import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createModelNames } from '../../../src/proxy/aliases.ts'
import type { Api } from '../../../src/proxy/api.ts'

const names = createModelNames({
  base: 'gpt-oss-20b',
  aliases: ['fast=low', 'openai/gpt-oss-20b', 'deep=low', 'deep=high'],
})

function rewritten(api: Api, text: string): string {
  return names.apply(api, Buffer.from(text)).body.toString()
}

test('it lists the plain name, the three efforts and what the config adds', () => {
  expect(names.all).toEqual([
    'gpt-oss-20b',
    'gpt-oss-20b:low',
    'gpt-oss-20b:medium',
    'gpt-oss-20b:high',
    'fast',
    'openai/gpt-oss-20b',
    'deep',
  ])
})

describe('an alias sets the effort where the engine reads it, and no other byte', () => {
  test.each<[Api, string, string]>([
    [
      'chat',
      ' {  "model" : "gpt-oss-20b:low", "messages":[]}\n',
      ' {"reasoning_effort":"low",  "model" : "gpt-oss-20b:low", "messages":[]}\n',
    ],
    ['chat', '{"model":"fast"}', '{"reasoning_effort":"low","model":"fast"}'],
    ['chat', '{"model":"deep"}', '{"reasoning_effort":"high","model":"deep"}'],
    [
      'chat',
      '{"reasoning_effort": null ,"model":"fast"}',
      '{"reasoning_effort": "low" ,"model":"fast"}',
    ],
    [
      'chat',
      '{"model":"gpt-oss-20b\\u003ahigh"}',
      '{"reasoning_effort":"high","model":"gpt-oss-20b\\u003ahigh"}',
    ],
    [
      'chat',
      '{"model":"a","model":"fast"}',
      '{"reasoning_effort":"low","model":"a","model":"fast"}',
    ],
    ['chat', '\uFEFF{"model":"fast"}', '\uFEFF{"reasoning_effort":"low","model":"fast"}'],
    ['responses', '{"model":"fast"}', '{"reasoning":{"effort":"low"},"model":"fast"}'],
    [
      'responses',
      '{"model":"fast","reasoning":{ "summary":"auto"}}',
      '{"model":"fast","reasoning":{"effort":"low", "summary":"auto"}}',
    ],
    [
      'responses',
      '{"model":"fast","reasoning":{ }}',
      '{"model":"fast","reasoning":{"effort":"low" }}',
    ],
    [
      'responses',
      '{"model":"fast","reasoning":null}',
      '{"model":"fast","reasoning":{"effort":"low"}}',
    ],
    [
      'responses',
      '{"model":"fast","reasoning":{"effort":null}}',
      '{"model":"fast","reasoning":{"effort":"low"}}',
    ],
    [
      'messages',
      '{"model":"fast"}',
      '{"chat_template_kwargs":{"reasoning_effort":"low"},"model":"fast"}',
    ],
    [
      'messages',
      '{"model":"fast","chat_template_kwargs":{"a":1}}',
      '{"model":"fast","chat_template_kwargs":{"reasoning_effort":"low","a":1}}',
    ],
  ])('%s %s', (api, before, after) => {
    expect(rewritten(api, before)).toBe(after)
  })
})

describe('the very same bytes pass', () => {
  test.each<[string, Api, string]>([
    ['the plain name', 'chat', '{"model":"gpt-oss-20b"}'],
    ['an alias without an effort', 'chat', '{"model":"openai/gpt-oss-20b"}'],
    ['a name of somebody else', 'chat', '{"model":"gpt-4o"}'],
    ['a near miss', 'chat', '{"model":"gpt-oss-20b:lowest"}'],
    ['no model', 'chat', '{"messages":[]}'],
    ['a model within a message', 'chat', '{"messages":[{"model":"fast"}]}'],
    ['a model quoted in a text', 'chat', '{"content":"{\\"model\\":\\"fast\\"}"}'],
    ['the last of two models', 'chat', '{"model":"fast","model":"gpt-oss-20b"}'],
    ['a model that is no text', 'chat', '{"model":{"model":"fast"}}'],
    ['an explicit effort', 'chat', '{"model":"fast","reasoning_effort":"high"}'],
    ['an explicit none', 'chat', '{"model":"fast","reasoning_effort":"none"}'],
    [
      'an effort for the template',
      'chat',
      '{"model":"fast","chat_template_kwargs":{"reasoning_effort":"high"}}',
    ],
    [
      'an explicit effort of responses',
      'responses',
      '{"model":"fast","reasoning":{"effort":"high"}}',
    ],
    ['the other spelling of it', 'responses', '{"model":"fast","reasoning_effort":"high"}'],
    [
      'an effort of messages',
      'messages',
      '{"model":"fast","chat_template_kwargs":{"reasoning_effort":"high"}}',
    ],
    [
      'a shape that is for the engine to refuse',
      'responses',
      '{"model":"fast","reasoning":"high"}',
    ],
    ['plain text completion, which has no effort', 'completions', '{"model":"fast"}'],
    ["the engine's own API", 'native', '{"model":"fast"}'],
    ['no JSON', 'chat', 'model=fast'],
    ['half of it', 'chat', '{"model":"fast"'],
    ['more than one', 'chat', '{"model":"fast"} {}'],
    ['a list', 'chat', '[{"model":"fast"}]'],
    ['a text without its end', 'chat', '{"model":"fast\\"}'],
    ['nothing', 'chat', ''],
  ])('for %s', (_what, api, text) => {
    const body = Buffer.from(text)
    expect(names.apply(api, body).body).toBe(body)
  })
})

test('a name that every object has asks for nothing', () => {
  const body = Buffer.from('{"model":"constructor"}')
  expect(names.apply('chat', body).body).toBe(body)
})

test('it tells the name that was asked for, known or not, cut short', () => {
  const model = (text: string): string | null => names.apply('chat', Buffer.from(text)).model
  expect(model('{"model":"gpt-4o"}')).toBe('gpt-4o')
  expect(model(`{"model":"${'x'.repeat(300)}"}`)).toBe('x'.repeat(80))
  expect(model(`{"model":"${'x'.repeat(3000)}"}`)).toBeNull()
  expect(model('{}')).toBeNull()
})

/** JSON texts as other programs may write them: any spacing, any escapes, names twice. */
const space = fc.stringMatching(/^[ \t\r\n]{0,2}$/)
const textOf = (value: string): fc.Arbitrary<string> =>
  fc.boolean().map((isEscaped) => (isEscaped ? escaped(value) : JSON.stringify(value)))
const nameText = fc
  .oneof(
    fc.constantFrom('model', 'reasoning_effort', 'reasoning', 'chat_template_kwargs', 'effort'),
    fc.string(),
  )
  .chain(textOf)
const valueText = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom('null', 'true', '-0.5e3', '""', '{}', '[ ]'),
    fc.oneof(fc.constantFrom('fast', 'model', 'high'), fc.string({ unit: 'binary' })).chain(textOf),
    fc.string({ minLength: 60, maxLength: 200 }).chain(textOf),
    fc.array(tie('value'), { maxLength: 3 }).map((items) => `[${items.join(' ,')}]`),
    objectText(tie('value')),
  ),
})).value

function objectText(value: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const member = fc
    .tuple(space, nameText, space, value, space)
    .map(([before, name, between, text, after]) => `${before}${name}${between}:${text}${after}`)
  return fc.array(member, { maxLength: 4 }).map((members) => `{${members.join(',')}}`)
}

function escaped(value: string): string {
  const units = value.split('').map((unit) => unit.charCodeAt(0).toString(16).padStart(4, '0'))
  return `"${units.map((unit) => `\\u${unit}`).join('')}"`
}

function parsed(text: string): Record<string, unknown> {
  const value: unknown = JSON.parse(text)
  if (typeof value !== 'object' || value === null) throw new Error('no object')
  return { ...value }
}

type EffortApi = 'chat' | 'responses' | 'messages'

const PLACES = {
  chat: 'reasoning_effort',
  responses: 'reasoning',
  messages: 'chat_template_kwargs',
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null && value !== ''
}

function memberOf(value: unknown, name: string): unknown {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isObject ? new Map(Object.entries(value)).get(name) : undefined
}

/** Whether the engine finds an effort in it, or something in its place that is for it to judge. */
function isSettled(api: EffortApi, request: unknown): boolean {
  const kwargs = memberOf(request, 'chat_template_kwargs')
  const place = memberOf(request, PLACES[api])
  const isOdd = isGiven(place) && (typeof place !== 'object' || Array.isArray(place))
  if (isGiven(memberOf(kwargs, 'reasoning_effort'))) return true
  if (api === 'messages') return isOdd
  if (isGiven(memberOf(request, 'reasoning_effort'))) return true
  return api === 'responses' && (isOdd || isGiven(memberOf(place, 'effort')))
}

function effortOf(api: EffortApi, request: unknown): unknown {
  const place = memberOf(request, PLACES[api])
  if (api === 'chat') return place
  return memberOf(place, api === 'responses' ? 'effort' : 'reasoning_effort')
}

describe.each<EffortApi>(['chat', 'responses', 'messages'])('%s, whatever the JSON', (api) => {
  test('the body says the same but for the effort, and that as asked unless it was given', () => {
    fc.assert(
      fc.property(objectText(valueText), space, (inner, around) => {
        const text = `${around}${inner.replace(/\}$/, inner === '{}' ? '' : ',')}"model":"fast"}`
        const body = Buffer.from(text)
        const result = names.apply(api, body).body
        const before = parsed(text)
        const after = parsed(result.toString())
        const place = PLACES[api]
        expect({ ...after, [place]: null }).toEqual({ ...before, [place]: null })
        expect(result === body).toBe(isSettled(api, before))
        expect(result === body || effortOf(api, after) === 'low').toBe(true)
        expect(names.apply(api, result).body).toBe(result)
      }),
      { numRuns: 500 },
    )
  })

  test('a body without a model of ours is the same Buffer', () => {
    fc.assert(
      fc.property(objectText(valueText), (text) => {
        fc.pre(parsed(text)['model'] !== 'fast')
        const body = Buffer.from(text)
        expect(names.apply(api, body).body).toBe(body)
      }),
      { numRuns: 300 },
    )
  })

  test('a body that is cut or changed anywhere never throws', () => {
    fc.assert(
      fc.property(objectText(valueText), fc.nat(), fc.nat(255), (text, at, byte) => {
        const body = Buffer.from(text)
        body[at % body.length] = byte
        const half = body.subarray(0, at % body.length)
        expect(() => [names.apply(api, body), names.apply(api, half)]).not.toThrow()
      }),
      { numRuns: 300 },
    )
  })
})

test('depth and length are chosen by the client, and cost no more than walking once over the bytes', () => {
  const deep = Buffer.from(`{"a":${'['.repeat(1e6)}${']'.repeat(1e6)},"model":"fast"}`)
  const quotes = Buffer.from(`{"a":"${'\\"'.repeat(1e6)}","model":"fast"}`)
  const long = Buffer.from(`{"a":"${'x'.repeat(1e7)}\\"${'y'.repeat(1e7)}","model":"fast"}`)
  for (const body of [deep, quotes, long]) {
    expect(names.apply('chat', body).body.length).toBe(body.length + 25)
  }
})
