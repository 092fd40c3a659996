import { createServer } from 'node:http'
import { once } from 'node:events'
import { describe, expect, it, test } from 'vitest'
import { askForProof, readProof, tooSlow } from '../../../src/llama/proof.ts'
import { tempDir } from '../../helpers/temp-dir.ts'

const answer = (message: object, timings: object = {}): string =>
  JSON.stringify({ choices: [{ message }], timings })
const fast = { predicted_n: 64, predicted_per_second: 40 }

describe('readProof', () => {
  it('takes the words and the speed as the engine measured it', () => {
    const body = answer({ reasoning_content: 'Let me count. ', content: 'One, two' }, fast)
    const proof = { text: 'Let me count. One, two', tokensPerSecond: 40 }
    expect(readProof(200, body)).toEqual({ kind: 'answered', proof })
  })

  test.each([
    ['too few tokens', { predicted_n: 3, predicted_per_second: 40 }],
    ['no measure', {}],
    ['a measure of nothing', { predicted_n: 64, predicted_per_second: 0 }],
    ['a measure that is none', { predicted_n: 64, predicted_per_second: null }],
  ])('does not know the speed from %s', (_what, timings) => {
    const result = readProof(200, answer({ content: 'One' }, timings))
    expect(result).toMatchObject({ kind: 'answered', proof: { tokensPerSecond: null } })
  })

  test.each([
    [500, '{}', 'it answered with status 500'],
    [200, '', 'its answer has no words'],
    [200, '[]', 'its answer has no words'],
    [200, '{"choices":[]}', 'its answer has no words'],
    [200, answer({ content: ' \n' }), 'its answer has no words'],
    [200, answer({ content: 7 }), 'its answer has no words'],
    [200, answer({ content: '@'.repeat(40) }), 'its answer is one sign again and again'],
    [200, answer({ content: 'G G G '.repeat(9) }), 'its answer is one sign again and again'],
  ])('takes status %i with %j for a failure', (status, body, why) => {
    expect(readProof(status, body)).toEqual({ kind: 'failed', why })
  })
})

test.each([
  [40, 40, null],
  [20, 40, null],
  [19.9, 40, 'it writes 19.9 tokens/s, the earlier one wrote 40.0'],
  [null, 40, null],
  [3, null, null],
])('%s tokens/s after %s tokens/s', (now, before, why) => {
  expect(tooSlow({ text: 'x', tokensPerSecond: now }, before)).toBe(why)
})

describe('askForProof', () => {
  const never = new AbortController().signal

  it('asks over a socket in a folder as a Mac has it', async () => {
    await using dir = await tempDir()
    const server = createServer((request, response) => {
      response.end(answer({ content: `One of ${request.url}` }, fast))
    })
    server.listen(dir.file('Application Support.sock'))
    await once(server, 'listening')
    const result = await askForProof(dir.file('Application Support.sock'), 60_000, never)
    server.close()
    const text = 'One of /v1/chat/completions'
    expect(result).toEqual({ kind: 'answered', proof: { text, tokensPerSecond: 40 } })
  })

  it('says that nobody is there, and that nobody answers', async () => {
    await using dir = await tempDir()
    const nobody = await askForProof(dir.file('e.sock'), 60_000, never)
    expect(nobody).toMatchObject({
      kind: 'failed',
      why: expect.stringMatching(/^it cannot be asked \(/),
    })
    const server = createServer(() => undefined)
    server.listen(dir.file('e.sock'))
    await once(server, 'listening')
    const silent = await askForProof(dir.file('e.sock'), 100, never)
    server.close()
    server.closeAllConnections()
    expect(silent).toEqual({ kind: 'failed', why: 'it gave no answer within 0.1 s' })
  })

  it('ends with the engine', async () => {
    await using dir = await tempDir()
    await expect(askForProof(dir.file('e.sock'), 60_000, AbortSignal.abort())).rejects.toThrow(
      'aborted',
    )
  })
})
