import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { chatDialect } from '../../../../src/proxy/stream/chat-story.ts'
import { DeltaPattern } from '../../../../src/proxy/stream/delta-pattern.ts'
import type { Reading } from '../../../../src/proxy/stream/dialect.ts'
import { parseObject } from '../../../../src/proxy/stream/json.ts'
import { readEvent, writeEvent } from '../../../../src/proxy/stream/sse-events.ts'

type Delta = Extract<Reading, { kind: 'delta' }>

const dialect = chatDialect()

function read(event: Buffer): Reading | null {
  const json = parseObject(readEvent(event).data ?? '')
  return json === null ? null : dialect.read(json, null)
}

function chunk(delta: object, more: object = {}): Buffer {
  const choices = [{ finish_reason: null, index: 0, delta }]
  const names = { created: 1, id: 'chatcmpl-1', model: 'content', object: 'chat.completion.chunk' }
  return writeEvent(null, JSON.stringify({ choices, ...names, ...more }))
}

const content = (text: string): Delta => ({ kind: 'delta', reasoning: '', content: text })
const patternOf = (text: string): DeltaPattern | null =>
  DeltaPattern.of(chunk({ content: text }), content(text), read)

describe('DeltaPattern', () => {
  test('an event that differs in its text alone is read without being parsed', () => {
    expect(patternOf('one')?.read(chunk({ content: 'and two' }))).toEqual(content('and two'))
  })

  test('reasoning stays reasoning', () => {
    const first = { kind: 'delta', reasoning: 'why', content: '' } as const
    const pattern = DeltaPattern.of(chunk({ reasoning_content: 'why' }), first, read)
    expect(pattern?.read(chunk({ reasoning_content: 'so' }))).toEqual({ ...first, reasoning: 'so' })
    expect(pattern?.read(chunk({ content: 'so' }))).toBeNull()
  })

  test.each(['', 'a "quote"', 'a\nline', 'a \\ backslash', 'delta', 'index'])(
    'there is none for the text %j: what stands for it may stand elsewhere too',
    (text) => {
      expect(patternOf(text)).toBeNull()
    },
  )

  test('any other event has to be read', () => {
    const pattern = patternOf('one')
    for (const other of [
      chunk({ content: 'one', tool_calls: [] }),
      chunk({ content: 'one' }, { timings: { predicted_n: 1 } }),
      chunk({ content: '' }),
      writeEvent(null, '[DONE]'),
      Buffer.from(': comment\n\n'),
      Buffer.alloc(0),
    ])
      expect(pattern?.read(other)).toBeNull()
  })

  test('whatever the text: it is read as JSON reads it, or not at all', () => {
    const pattern = patternOf('one')
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const event = chunk({ content: text })
        const seen = pattern?.read(event) ?? read(event)
        expect(seen).toEqual(read(event))
      }),
    )
  })

  test('whatever the bytes: it is read as JSON reads it, or not at all', () => {
    const pattern = patternOf('one')
    const whole = chunk({ content: 'one' })
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.uint8Array({ maxLength: 8 }), (at, bytes) => {
        const event = Buffer.concat([whole.subarray(0, at), bytes, whole.subarray(at + 1)])
        const seen = pattern?.read(event) ?? null
        expect(seen ?? read(event)).toEqual(read(event))
      }),
    )
  })
})
