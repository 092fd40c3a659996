import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { clientNameOf } from '../../../src/proxy/client-name.ts'
import { faultOf } from '../../../src/proxy/engine-fault.ts'
import { tokensIn } from '../../../src/proxy/tokens-in-answer.ts'

describe('faultOf', () => {
  const error = (message: string): string => JSON.stringify({ error: { code: 500, message } })

  test.each([
    [error('Compute error. off = 0, n_batch = 512, ret = -3'), 'compute-error'],
    [
      error('The model produced output that does not match the expected peg-native format'),
      'malformed-harmony',
    ],
    [error('something else'), null],
    [error('the user wrote: Compute error.'), null],
    ['{"error":{"code":500,"message":"Compute er', null],
    ['not JSON', null],
    ['{"error":"Compute error."}', null],
    ['', null],
  ])('%s is %s', (body, fault) => {
    expect(faultOf(body)).toBe(fault)
  })
})

describe('tokensIn', () => {
  test('it finds what the engine counted at the end of an answer', () => {
    const end = `"},"finish_reason":"stop"}],"usage":{"completion_tokens":27,"prompt_tokens":249,"total_tokens":276,"prompt_tokens_details":{"cached_tokens":12}},"timings":{"cache_n":12,"prompt_per_second":3923.4,"predicted_n":27,"predicted_per_second":1800.25}}`
    expect(tokensIn(end)).toEqual({
      promptTokens: 249,
      cachedTokens: 12,
      generatedTokens: 27,
      promptPerSecond: 3923.4,
      generatedPerSecond: 1800.25,
    })
  })

  test('it knows the names of responses and messages', () => {
    const end = '"usage":{"input_tokens":5,"output_tokens":7,"cache_read_input_tokens":1}}'
    expect(tokensIn(end)).toMatchObject({ promptTokens: 5, generatedTokens: 7, cachedTokens: 1 })
  })

  test('what a model says is not taken for a count', () => {
    const said = JSON.stringify({ content: '"completion_tokens":999,' })
    expect(tokensIn(said).generatedTokens).toBeNull()
  })

  test('it never throws, and unknown is null', () => {
    expect(tokensIn('')).toEqual({
      promptTokens: null,
      cachedTokens: null,
      generatedTokens: null,
      promptPerSecond: null,
      generatedPerSecond: null,
    })
    fc.assert(fc.property(fc.string(), (text) => typeof tokensIn(text) === 'object'))
  })
})

describe('clientNameOf', () => {
  const here = { remoteAddress: '127.0.0.1' }

  test.each([
    [{ 'user-agent': 'OpenAI/JS 6.49.0' }, here, null, 'OpenAI/JS'],
    [{ 'user-agent': 'curl/7.88.1' }, { remoteAddress: '::1' }, null, 'curl/7.88.1'],
    [{}, here, null, 'unnamed app'],
    [{ 'user-agent': '<script>' }, here, null, 'unnamed app'],
    [{ 'user-agent': 'curl/8' }, { remoteAddress: '192.168.1.7' }, null, 'curl/8 at 192.168.1.7'],
    [{ 'user-agent': 'curl/8' }, { remoteAddress: '::ffff:127.0.0.1' }, null, 'curl/8'],
    [{ 'user-agent': 'curl/8' }, here, 'laptop', 'laptop'],
  ])('%j from %j with token %s is %s', (headers, socket, token, name) => {
    expect(clientNameOf({ headers, socket }, token)).toBe(name)
  })
})
