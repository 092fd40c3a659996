import { expect, test } from 'vitest'
import { apiOf } from '../../../src/proxy/api.ts'

test.each([
  ['POST', '/v1/chat/completions', 'chat'],
  ['POST', '/chat/completions', 'chat'],
  ['POST', '/v1/completions?x=1', 'completions'],
  ['POST', '/v1/responses', 'responses'],
  ['POST', '/v1/messages', 'messages'],
  ['POST', '/completion', 'native'],
  ['POST', '/v1/messages/count_tokens', null],
  ['POST', '/tokenize', null],
  ['GET', '/v1/completions', null],
])('%s %s is %s', (method, path, api) => {
  expect(apiOf(method, path)).toBe(api)
})
