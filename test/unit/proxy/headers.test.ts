import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toClient, toEngine, valuesOf } from '../../../src/proxy/headers.ts'

const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,12}$/)
const value = fc.stringMatching(/^[ -~]{0,20}$/)
const rawHeaders = fc.array(fc.tuple(name, value)).map((list) => list.flat())
const SECRETS = ['authorization', 'api-key', 'x-api-key', 'cookie', 'x-conversation-id']
const HOPS = ['connection', 'keep-alive', 'te', 'trailer', 'upgrade', 'proxy-authorization']

function names(raw: readonly string[]): string[] {
  return raw.filter((_, index) => index % 2 === 0).map((each) => each.toLowerCase())
}

describe('toEngine', () => {
  test('it keeps order, case and duplicates of what passes', () => {
    const raw = ['X-B', '1', 'Host', 'a:1', 'x-b', '2', 'Accept', '*/*', 'X-B', '3']
    expect(toEngine(raw)).toEqual(raw.with(3, 'localhost'))
  })

  test.each(SECRETS)('it never shows %s to the engine', (secret) => {
    const raw = ['Host', 'a', secret.toUpperCase(), 's3cret', 'Accept', '*/*']
    expect(toEngine(raw).join()).not.toContain('s3cret')
  })

  test('it drops what Connection names, and whatever frames the body', () => {
    const raw = ['Host', 'a', 'Connection', 'X-Mine, content-length ,HOST', 'x-mine', '1']
    const framed = [...raw, 'Content-Length', '5', 'Transfer-Encoding', 'chunked']
    expect(toEngine(framed)).toEqual(['Host', 'localhost'])
  })

  test('it adds a Host where HTTP/1.0 had none', () => {
    expect(toEngine(['Accept', '*/*'])).toEqual(['Host', 'localhost', 'Accept', '*/*'])
  })

  test('whatever comes in, one Host goes out, no secret, nothing of the connection', () => {
    const hostile = fc.tuple(
      fc.constantFrom(...SECRETS, ...HOPS, 'Host', 'Transfer-Encoding', 'Content-Length'),
      value,
    )
    const mixed = fc.array(fc.oneof(fc.tuple(name, value), hostile)).map((list) => list.flat())
    fc.assert(
      fc.property(mixed, (raw) => {
        const out = toEngine(raw)
        expect(valuesOf(out, 'host')).toEqual(['localhost'])
        for (const each of [...SECRETS, ...HOPS]) expect(names(out)).not.toContain(each)
        for (const framing of ['transfer-encoding', 'content-length']) {
          expect(names(out)).not.toContain(framing)
        }
      }),
    )
  })
})

describe('toClient', () => {
  test('it drops what is about the connection to the engine only', () => {
    const raw = ['Content-Type', 'a', 'Keep-Alive', 'timeout=5, max=100', 'Connection', 'x-hop']
    expect(toClient([...raw, 'X-Hop', '1', 'Set-Cookie', 'a', 'Set-Cookie', 'b'])).toEqual([
      'Content-Type',
      'a',
      'Set-Cookie',
      'a',
      'Set-Cookie',
      'b',
    ])
  })

  test('what passed once passes again unchanged', () => {
    fc.assert(
      fc.property(rawHeaders, (raw) => {
        const out = toClient(raw)
        expect(toClient(out)).toEqual(out)
      }),
    )
  })
})
