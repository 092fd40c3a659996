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
    ['/metrics', 'own-unknown'],
    ['/%6detrics', 'own-unknown'],
    ['/oss20bd', 'own-unknown'],
    ['/oss20bd/status', 'own-unknown'],
    ['/oss20bdx', 'engine'],
    ['/', 'engine'],
    ['/v1/chat/completions', 'engine'],
    ['/v1/models/a', 'engine'],
    ['/a..b/...', 'engine'],
    ['/x?path=../y', 'engine'],
  ])('%s is for %s', (target, kind) => {
    expect(routeOf(target, []).kind).toBe(kind)
  })

  test.each(['http://localhost/health', '*', '', '/a/../health', '/a/%2e%2e/b', '/a/..', '/%zz'])(
    'it refuses the target %j',
    (target) => {
      expect(routeOf(target, [])).toMatchObject({ kind: 'refused', status: 400 })
    },
  )

  test('it refuses to change the protocol, but not a client that only offers HTTP/2', () => {
    expect(routeOf('/', ['Upgrade', 'websocket'])).toMatchObject({ status: 501 })
    expect(routeOf('/', ['Upgrade', 'h2c, websocket'])).toMatchObject({ status: 501 })
    expect(routeOf('/', ['Upgrade', 'h2c'])).toEqual({ kind: 'engine' })
  })

  test('it refuses a body in a coding it does not undo', () => {
    expect(routeOf('/', ['Transfer-Encoding', 'gzip, chunked'])).toMatchObject({ status: 501 })
    expect(routeOf('/', ['Transfer-Encoding', 'Chunked'])).toEqual({ kind: 'engine' })
  })

  test('it never throws, and what goes to the engine begins with a slash', () => {
    const targets = fc.oneof(fc.string(), fc.webPath())
    const holds = fc.property(
      targets,
      (target) => routeOf(target, []).kind === 'refused' || target.startsWith('/'),
    )
    expect(fc.check(holds)).toMatchObject({ failed: false })
  })
})
