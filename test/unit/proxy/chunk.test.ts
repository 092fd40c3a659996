import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createAnswerReader } from '../../../src/proxy/answer-reader.ts'
import { chunkOf } from '../../../src/proxy/chunk.ts'

const HEAD = Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')

describe('chunkOf', () => {
  test('it writes the size in hex, the bytes and the line ends', () => {
    expect(chunkOf(Buffer.from('0123456789'), false).toString()).toBe('a\r\n0123456789\r\n')
    expect(chunkOf(Buffer.from('01'), true).toString()).toBe('2\r\n01\r\n0\r\n\r\n')
  })

  test('no bytes are no chunk, which would end the body, and at the end the end alone', () => {
    expect(chunkOf(Buffer.alloc(0), false)).toHaveLength(0)
    expect(chunkOf(Buffer.alloc(0), true).toString()).toBe('0\r\n\r\n')
  })

  test('what it frames, our reader reads', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (pieces) => {
        const chunks = pieces.map((piece) => chunkOf(Buffer.from(piece), false))
        const end = chunkOf(Buffer.alloc(0), true)
        const parts = createAnswerReader('GET').read(Buffer.concat([HEAD, ...chunks, end]))
        const body = parts.flatMap((part) => (part.kind === 'body' ? [part.bytes] : []))
        expect(Buffer.concat(body)).toEqual(Buffer.concat(pieces))
        expect(parts.at(-1)).toEqual({ kind: 'end', isExact: true })
      }),
    )
  })
})
