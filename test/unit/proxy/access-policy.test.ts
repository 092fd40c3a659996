import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Oss20bdError } from '../../../src/errors.ts'
import { assertSafeBind, judgeAccess } from '../../../src/proxy/access-policy.ts'

const question = {
  hosts: ['localhost:8020'],
  origins: [] as string[],
  httpVersion: '1.1',
  allowedHosts: ['mac.home', 'box:9000'],
  allowedOrigins: ['https://chat.example', 'app://obsidian.md/'],
}

describe('judgeAccess', () => {
  test.each([
    'localhost',
    'LOCALHOST:1',
    'localhost.:8020',
    '127.0.0.1',
    '127.255.0.9:65535',
    '[::1]',
    '[::1]:8020',
    'mac.home',
    'Mac.Home:8020',
    'box:9000',
  ])('it answers for the host %s', (host) => {
    expect(judgeAccess({ ...question, hosts: [host] })).toEqual({ kind: 'allowed' })
  })

  test.each([
    ['evil.example', 403],
    ['localhost.evil.example', 403],
    ['127.0.0.1.evil.example', 403],
    ['128.0.0.1', 403],
    ['127.0.0.256', 403],
    ['0.0.0.0', 403],
    ['[::2]:8020', 403],
    ['box', 403],
    ['box:9001', 403],
    ['user@localhost', 400],
    ['localhost, evil.example', 400],
    ['localhost:', 400],
    ['', 400],
  ])('it refuses the host %j with %d', (host, status) => {
    expect(judgeAccess({ ...question, hosts: [host] })).toMatchObject({ kind: 'refused', status })
  })

  test('it wants exactly one Host, and none only of HTTP/1.0', () => {
    expect(judgeAccess({ ...question, hosts: [] })).toMatchObject({ status: 400 })
    expect(judgeAccess({ ...question, hosts: ['localhost', 'localhost'] })).toMatchObject({
      status: 400,
    })
    expect(judgeAccess({ ...question, hosts: [], httpVersion: '1.0' })).toEqual({
      kind: 'allowed',
    })
  })

  test.each([
    'http://localhost:3000',
    'https://127.0.0.1',
    'http://[::1]:5173',
    'https://CHAT.example',
    'app://obsidian.md',
  ])('it answers a page of %s', (origin) => {
    expect(judgeAccess({ ...question, origins: [origin] })).toEqual({ kind: 'allowed' })
  })

  test.each([
    'null',
    '',
    'http://evil.example',
    'https://chat.example.evil',
    'http://chat.example',
    'http://localhost.evil.example',
    'http://localhost@evil.example',
    'file://localhost',
  ])('it refuses a page of %j and names the config key', (origin) => {
    const access = judgeAccess({ ...question, origins: [origin] })
    expect(access).toMatchObject({ status: 403, code: 'origin_not_allowed' })
    expect(JSON.stringify(access)).toContain('proxy.allowedOrigins')
  })

  test('it refuses the origin "null" even when it is configured', () => {
    const asked = { ...question, origins: ['null'], allowedOrigins: ['null'] }
    expect(judgeAccess(asked)).toMatchObject({ status: 403 })
  })

  test('a bad origin does not pass behind a good one', () => {
    const origins = ['http://localhost', 'http://evil.example']
    expect(judgeAccess({ ...question, origins })).toMatchObject({ status: 403 })
  })

  test('it never throws, and no name outside loopback and config passes', () => {
    const loopback = /^(localhost\.?|127\.[\d.]+|\[::1\])(:\d+)?$/i
    const holds = fc.property(fc.oneof(fc.string(), fc.domain()), (host) => {
      const access = judgeAccess({ ...question, hosts: [host], allowedHosts: [] })
      return loopback.test(host) || access.kind === 'refused'
    })
    expect(fc.check(holds)).toMatchObject({ failed: false })
  })
})

describe('assertSafeBind', () => {
  test.each(['127.0.0.1', 'localhost', '::1', '[::1]', '127.1.2.3'])('it accepts %s', (host) => {
    expect(() => assertSafeBind(host, false)).not.toThrow()
  })

  test.each(['0.0.0.0', '::', '192.168.1.4', 'mac.home', ''])('it refuses %j', (host) => {
    expect(() => assertSafeBind(host, false)).toThrow(Oss20bdError)
    expect(() => assertSafeBind(host, false)).toThrow(
      expect.objectContaining({ code: 'unsafe-bind' }),
    )
  })

  test('with tokens any address will do', () => {
    expect(() => assertSafeBind('0.0.0.0', true)).not.toThrow()
  })
})
