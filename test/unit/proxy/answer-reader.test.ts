import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type AnswerPart,
  createAnswerReader,
  MAX_HEAD_BYTES,
} from '../../../src/proxy/answer-reader.ts'

interface Seen {
  readonly status: number | null
  readonly headers: readonly string[]
  readonly keepAliveMs: number
  readonly body: string
  readonly end: string
}

const OK = 'HTTP/1.1 200 OK\r\n'
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`

/** All that a reader tells of these pieces, and then of the end of the connection. */
function seenIn(pieces: readonly Buffer[], method = 'GET'): Seen {
  const reader = createAnswerReader(method)
  const parts: AnswerPart[] = pieces.flatMap((piece) => reader.read(piece))
  parts.push(...reader.readEnd())
  let seen: Seen = { status: null, headers: [], keepAliveMs: 0, body: '', end: '' }
  for (const part of parts) {
    expect(seen.end).toBe('')
    if (part.kind === 'head') {
      const { status, rawHeaders: headers, keepAliveMs } = part.head
      seen = { ...seen, status, headers, keepAliveMs }
    } else if (part.kind === 'body') {
      seen = { ...seen, body: seen.body + part.bytes.toString('latin1') }
    } else seen = { ...seen, end: part.kind === 'end' ? 'end' : part.reason }
  }
  return seen
}

const seenOf = (text: string, method?: string): Seen =>
  seenIn([Buffer.from(text, 'latin1')], method)

const ANSWERS = [
  `${OK}Content-Length: 5\r\nX-A: 1\r\nx-a:  two words \t\r\n\r\nhello`,
  `${CHUNKED}5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\nX-Trailer: 1\r\n\r\n`,
  `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n${OK}Content-Length: 2\r\n\r\nhi`,
  `${OK}\r\nup to the end`,
  'HTTP/1.1 204 No Content\r\n\r\n',
  `${CHUNKED}5\r\nhello!\r\n`,
  `${CHUNKED}zz\r\nhello\r\n`,
  `${OK}Content-Length: 9\r\n\r\nhello`,
  'hello\r\n\r\n',
]

describe('createAnswerReader', () => {
  test('names, values, order and duplicates stay; white space around a value goes', () => {
    const seen = seenOf(ANSWERS[0] ?? '')
    expect(seen.headers).toEqual(['Content-Length', '5', 'X-A', '1', 'x-a', 'two words'])
    expect(seen).toMatchObject({ status: 200, body: 'hello', end: 'end' })
  })

  test('chunks are put together, their extensions and trailers dropped', () => {
    expect(seenOf(ANSWERS[1] ?? '')).toMatchObject({ body: 'hello0123456789', end: 'end' })
  })

  test('interim answers are passed over', () => {
    expect(seenOf(ANSWERS[2] ?? '')).toMatchObject({ status: 200, body: 'hi', end: 'end' })
  })

  test.each([
    ['HEAD', `${OK}Content-Length: 5\r\n\r\n`],
    ['HEAD', CHUNKED],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n'],
    ['POST', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['GET', `${OK}Content-Length: 0\r\n\r\n`],
  ])('%s %j ends with its head', (method, text) => {
    expect(createAnswerReader(method).read(Buffer.from(text)).at(-1)).toEqual({
      kind: 'end',
      isExact: true,
    })
  })

  test.each([
    ['both lengths', `${OK}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`],
    ['two lengths', `${OK}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`],
    ['a sign', `${OK}Content-Length: +1\r\n\r\n1`],
    ['another coding', `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n`],
    ['a bad size', `${CHUNKED}-1\r\n`],
    ['a long size', `${CHUNKED}${'0'.repeat(2000)}`],
    ['a chunk over its size', `${CHUNKED}1\r\nab\r\n`],
    ['a switched protocol', 'HTTP/1.1 101 Switching\r\n\r\n'],
    ['HTTP/2', 'HTTP/2 200 OK\r\n\r\n'],
    ['a folded header', `${OK}A: b\r\n c\r\n\r\n`],
    ['a bare line feed', `${OK}A: b\nC: d\r\n\r\n`],
    ['a header without name', `${OK}: b\r\n\r\n`],
    ['a cut head', OK],
    ['nothing', ''],
    ['a cut body', `${OK}Content-Length: 9\r\n\r\nhello`],
    ['a cut chunk', `${CHUNKED}9\r\nhello`],
    ['no last chunk', `${CHUNKED}5\r\nhello\r\n`],
    ['a head without end', `${OK}A: ${'a'.repeat(MAX_HEAD_BYTES)}`],
    ['a head too long', `${OK}A: ${'a'.repeat(MAX_HEAD_BYTES)}\r\n\r\n`],
    ['trailers without end', `${CHUNKED}0\r\n${'A: b\r\n'.repeat(MAX_HEAD_BYTES / 4)}`],
  ])('%s is broken, with a reason', (_, text) => {
    expect(seenOf(text).end).toMatch(/answer/)
  })

  test.each([
    ['Keep-Alive: timeout=5, max=100\r\n', 5000],
    ['Keep-Alive: timeout=5\r\nConnection: keep-alive\r\n', 5000],
    ['Keep-Alive: timeout=5\r\nConnection: close\r\n', 0],
    ['', 0],
  ])('%j promises %d ms', (headers, keepAliveMs) => {
    expect(seenOf(`${OK}${headers}Content-Length: 0\r\n\r\n`).keepAliveMs).toBe(keepAliveMs)
  })

  test('bytes behind an answer are told, and read as nothing', () => {
    const text = `${OK}Content-Length: 2\r\n\r\nhiHTTP/1.1 500 X\r\n\r\n`
    expect(createAnswerReader('GET').read(Buffer.from(text)).at(-1)).toEqual({
      kind: 'end',
      isExact: false,
    })
  })

  test.each(ANSWERS)('%j reads the same wherever it is cut', (text) => {
    const bytes = Buffer.from(text, 'latin1')
    const whole = seenIn([bytes])
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      expect(seenIn([bytes.subarray(0, cut), bytes.subarray(cut)])).toEqual(whole)
    }
    expect(seenIn([...bytes].map((byte) => Buffer.of(byte)))).toEqual(whole)
  })

  test('it never throws, and any bytes in any pieces end once', () => {
    const some = fc.constantFrom(OK, CHUNKED, 'Content-Length: 3\r\n', '\r\n', '3\r\nabc', '0', ' ')
    const piece = fc.oneof(
      some.map((text) => Buffer.from(text)),
      fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
    )
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const seen = seenIn(pieces)
        expect(seen.end).not.toBe('')
        // What was broken in pieces is broken whole too; bytes given before that may differ in nothing.
        expect(seenIn([Buffer.concat(pieces)])).toEqual(seen)
      }),
    )
  })
})
