import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { routeOf } from '../../../src/proxy/route.ts'

describe('routeOf', () => {
  test.each([
    ['/health', 'health'],
    ['/health?x=1', 'health'],
    ['/v1/health', 'health'],
    ['/v1/models', 'models'],
    ['/models', 'models'],
    ['/metrics', 'page'],
    ['/%6detrics', 'page'],
    ['/oss20bd', 'page'],
    ['/oss20bd/status', 'page'],
    ['/oss20bdx', 'engine'],
    ['/', 'engine'],
    ['/v1/chat/completions', 'engine'],
    ['/v1/models/a', 'model'],
    ['/props', 'engine'],
    ['/slots', 'engine'],
    ['/api/tags', 'ollama'],
    ['/%61pi/chat', 'ollama'],
    ['/apply-template', 'engine'],
    ['/a..b/...', 'engine'],
    ['/x?path=../y', 'engine'],
  ])('%s is for %s', (target, kind) => {
    expect(routeOf('GET', target, []).kind).toBe(kind)
  })

  test.each(['http://localhost/health', '*', '', '/a/../health', '/a/%2e%2e/b', '/a/..', '/%zz'])(
    'it refuses the target %j',
    (target) => {
      expect(routeOf('GET', target, [])).toMatchObject({ kind: 'refused', status: 400 })
    },
  )

  test.each([
    ['POST', '/props'],
    ['POST', '/slots/0?action=save'],
    ['GET', '/lora-adapters'],
    ['POST', '/lora-adapters'],
    ['GET', '/tools'],
    ['POST', '/tools'],
    ['GET', '/cors-proxy?url=http://x'],
    ['POST', '/models'],
    ['DELETE', '/models'],
    ['POST', '/models/load'],
    ['GET', '/v1/stream?conv_id=x'],
    ['DELETE', '/v1/stream'],
    ['POST', '/v1/streams/lookup'],
    ['POST', '/v1/chat/completions/control'],
    ['POST', '/%70rops'],
  ])('%s %s is closed: it changes the engine or reads files', (method, target) => {
    expect(routeOf(method, target, []).kind).toBe('closed')
  })

  test('a model is asked for by its decoded name', () => {
    expect(routeOf('GET', '/v1/models/gpt-oss-20b%3Alow', [])).toEqual({
      kind: 'model',
      id: 'gpt-oss-20b:low',
    })
  })

  test('it refuses to change the protocol, but not a client that only offers HTTP/2', () => {
    expect(routeOf('POST', '/', ['Upgrade', 'websocket'])).toMatchObject({ status: 501 })
    expect(routeOf('POST', '/', ['Upgrade', 'h2c, websocket'])).toMatchObject({ status: 501 })
    expect(routeOf('POST', '/', ['Upgrade', 'h2c'])).toEqual({ kind: 'engine' })
  })

  test('it refuses a body in a coding it does not undo', () => {
    expect(routeOf('POST', '/', ['Transfer-Encoding', 'gzip, chunked'])).toMatchObject({
      status: 501,
    })
    expect(routeOf('POST', '/', ['Transfer-Encoding', 'Chunked'])).toEqual({ kind: 'engine' })
  })

  test('it never throws, and what goes to the engine begins with a slash', () => {
    const targets = fc.oneof(fc.string(), fc.webPath())
    const holds = fc.property(
      targets,
      (target) => routeOf('GET', target, []).kind === 'refused' || target.startsWith('/'),
    )
    expect(fc.check(holds)).toMatchObject({ failed: false })
  })
})
