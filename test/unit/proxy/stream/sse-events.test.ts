import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  createSseCutter,
  isWholeEvent,
  readEvent,
  writeEvent,
} from '../../../../src/proxy/stream/sse-events.ts'

const events = [
  'data: {"a":1}\n\n',
  ':\n\n',
  ': ping\n\n',
  'event: x\ndata: y\n\n',
  'data: 1\r\n\r\n',
  'event: x\r\ndata: é👋\r\n\r\n',
  'data: a\ndata: b\n\n',
  'data: 1\n\r\n',
]

describe('the cutter', () => {
  it('gives the same events however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...events)),
        fc.array(fc.integer({ min: 0, max: 200 })),
        (stream, cuts) => {
          const bytes = Buffer.from(stream.join(''))
          const cutter = createSseCutter()
          const ends = [...cuts.toSorted((a, b) => a - b), bytes.length]
          const got = ends.flatMap((end, index) =>
            cutter.take(bytes.subarray(ends[index - 1] ?? 0, end)),
          )
          expect(got.map(String)).toEqual(stream)
          expect(cutter.rest()).toHaveLength(0)
          expect(cutter.oversized).toBe(false)
        },
      ),
    )
  })

  it('copies nothing when events come whole', () => {
    const bytes = Buffer.from('data: 1\n\ndata: 2\n\n')
    const got = createSseCutter().take(bytes)
    expect(got.map(String)).toEqual(['data: 1\n\n', 'data: 2\n\n'])
    expect(got.every((event) => event.buffer === bytes.buffer)).toBe(true)
  })

  it('never writes again to what it gave on', () => {
    const cutter = createSseCutter()
    expect(cutter.take(Buffer.from('data: '))).toEqual([])
    const [first] = cutter.take(Buffer.from('one\n\ndata: t'))
    cutter.take(Buffer.from('wo, and more of it'))
    expect(String(first)).toBe('data: one\n\n')
    expect(cutter.take(Buffer.from('\n\n')).map(String)).toEqual(['data: two, and more of it\n\n'])
  })

  it('takes out the beginning of an event that does not end', () => {
    const cutter = createSseCutter()
    cutter.take(Buffer.from('data: 1\n\ndata: 2'))
    expect(String(cutter.rest())).toBe('data: 2')
    expect(cutter.take(Buffer.from('data: 3\n\n')).map(String)).toEqual(['data: 3\n\n'])
  })

  it('passes on an event that is too long, and says so', () => {
    const cutter = createSseCutter(20)
    expect(cutter.take(Buffer.from('data: 0123456789'))).toEqual([])
    expect(cutter.oversized).toBe(false)
    expect(cutter.take(Buffer.from('0123456789')).map(String)).toEqual([
      'data: 01234567890123456789',
    ])
    expect(cutter.oversized).toBe(true)
    expect(cutter.take(Buffer.from('\n\ndata: 1\n\n')).map(String).join('')).toBe('\n\ndata: 1\n\n')
  })
})

it.each<[event: string, name: string | null, data: string | null]>([
  ['data: {"a":1}\n\n', null, '{"a":1}'],
  ['data:1\n\n', null, '1'],
  ['data: 1\r\n\r\n', null, '1'],
  ['data: 1\n\r\n', null, '1'],
  ['event: x\ndata: y\nid: 3\n\n', 'x', 'y'],
  ['data: a\ndata: b\n\n', null, 'a\nb'],
  [': data: no\n\n', null, null],
  ['\n\n', null, null],
])('reads %j', (event, name, data) => {
  expect(readEvent(Buffer.from(event))).toEqual({ name, data })
  expect(isWholeEvent(Buffer.from(event))).toBe(true)
})

it('writes what it reads', () => {
  expect(readEvent(writeEvent('x', 'y'))).toEqual({ name: 'x', data: 'y' })
  expect(readEvent(writeEvent(null, 'y'))).toEqual({ name: null, data: 'y' })
})
