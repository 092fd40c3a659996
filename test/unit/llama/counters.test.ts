import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readCounters } from '../../../src/llama/counters.ts'

/** What llama-server v0.5.0 answered after one request of 1 + 50 tokens, within a second one. */
const real = `# HELP llamacpp:prompt_tokens_total Number of prompt tokens processed, excluding cached tokens
# TYPE llamacpp:prompt_tokens_total counter
llamacpp:prompt_tokens_total 2
# HELP llamacpp:prompt_tokens_cached_total Number of prompt tokens reused from the cache
# TYPE llamacpp:prompt_tokens_cached_total counter
llamacpp:prompt_tokens_cached_total 0
# HELP llamacpp:prompt_seconds_total Total time spent processing prompts
# TYPE llamacpp:prompt_seconds_total counter
llamacpp:prompt_seconds_total 0.004448
# HELP llamacpp:tokens_predicted_total Number of generation tokens processed
# TYPE llamacpp:tokens_predicted_total counter
llamacpp:tokens_predicted_total 50
# HELP llamacpp:tokens_predicted_seconds_total Total time spent generating tokens
# TYPE llamacpp:tokens_predicted_seconds_total counter
llamacpp:tokens_predicted_seconds_total 0.007562
# HELP llamacpp:n_decode_total Total number of llama_decode() calls, excluding speculative decoding and multimodal decoding
# TYPE llamacpp:n_decode_total counter
llamacpp:n_decode_total 729
# HELP llamacpp:prompt_tokens_seconds Average prompt throughput in tokens/s
# TYPE llamacpp:prompt_tokens_seconds gauge
llamacpp:prompt_tokens_seconds 224.82
# HELP llamacpp:requests_processing Number of requests processing
# TYPE llamacpp:requests_processing gauge
llamacpp:requests_processing 1
# HELP llamacpp:requests_deferred Number of requests deferred
# TYPE llamacpp:requests_deferred gauge
llamacpp:requests_deferred 3
# HELP llamacpp:spec_decode_num_accepted_tokens_per_pos_total Accepted tokens per draft position
# TYPE llamacpp:spec_decode_num_accepted_tokens_per_pos_total counter
llamacpp:spec_decode_num_accepted_tokens_per_pos_total{position="0"} 7
`
const counters = {
  requestsProcessing: 1,
  requestsWaiting: 3,
  workSteps: 731,
  promptTokens: 2,
  promptSeconds: 0.004448,
  generatedTokens: 50,
  generatedSeconds: 0.007562,
}

function without(name: string, value: string): string {
  return real.replace(new RegExp(`^llamacpp:${name} .*$`, 'm'), value)
}

describe('the counters of llama-server', () => {
  it('are read from its own text', () => {
    expect(readCounters(real)).toEqual(counters)
    expect(readCounters(real.replaceAll('\n', '\r\n'))).toEqual(counters)
  })

  it('are read as C++ prints a large number', () => {
    const text = without('n_decode_total', 'llamacpp:n_decode_total 1.23457e+06')
    expect(readCounters(text)?.workSteps).toBe(1_234_572)
  })

  it.each([
    ['nan'],
    ['-nan'],
    ['NaN'],
    ['inf'],
    ['-1'],
    [''],
    ['0x10'],
    ['1e999'],
    ['12abc'],
    ['{"a"} 3'],
  ])('are unknown, not 0, where they are %j', (value) => {
    const text = without('requests_processing', `llamacpp:requests_processing ${value}`)
    expect(readCounters(text)).toEqual({ ...counters, requestsProcessing: null })
  })

  it.each<[name: string, changed: object]>([
    ['requests_processing', { requestsProcessing: null }],
    ['requests_deferred', { requestsWaiting: null }],
    ['n_decode_total', { workSteps: null }],
    ['prompt_tokens_total', { workSteps: null, promptTokens: null }],
    ['prompt_seconds_total', { promptSeconds: null }],
    ['tokens_predicted_total', { generatedTokens: null }],
    ['tokens_predicted_seconds_total', { generatedSeconds: null }],
  ])('lack only what is missing: %s', (name, changed) => {
    expect(readCounters(without(name, ''))).toEqual({ ...counters, ...changed })
  })

  it('leave out a last number that may have been cut', () => {
    const at = real.indexOf('n_decode_total 729') + 'n_decode_total 72'.length
    expect(readCounters(real.slice(0, at))).toMatchObject({ promptTokens: 2, workSteps: null })
  })

  it.each([
    [''],
    ['\n'],
    ['{"error":{"code":501,"message":"This server does not support metrics endpoint."}}'],
    ['{"error":{"message":"Loading model","type":"unavailable_error","code":503}}\n'],
    ['# HELP llamacpp:n_decode_total Total\n'],
    ['go_goroutines 8\nn_decode_total 3\n'],
    ['llamacpp:unknown_total 3\n'],
    [real.repeat(200)],
  ])('are none in other text %#', (text) => {
    expect(readCounters(text)).toBeNull()
  })

  it('are numbers from 0 or null, whatever the text', () => {
    const name = fc.constantFrom('n_decode_total', 'prompt_tokens_total', 'requests_processing')
    const line = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.tuple(name, fc.string()).map(([key, text]) => `llamacpp:${key} ${text}`),
      fc.tuple(name, fc.double()).map(([key, value]) => `llamacpp:${key} ${value}`),
    )
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const read = readCounters(lines.map((text) => `${text}\n`).join(''))
        for (const value of Object.values(read ?? {})) {
          expect(value === null || (Number.isFinite(value) && value >= 0)).toBe(true)
        }
      }),
    )
  })

  it('are read, or not, from every beginning of the text', () => {
    for (let length = 0; length <= real.length; length += 1) {
      const read = readCounters(real.slice(0, length))
      for (const [name, value] of Object.entries(read ?? {})) {
        expect([null, new Map(Object.entries(counters)).get(name)]).toContain(value)
      }
    }
  })
})
