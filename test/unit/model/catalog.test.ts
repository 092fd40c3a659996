import { expect, it } from 'vitest'
import { GPT_OSS_20B, hubEndpoint, knownModel } from '../../../src/model/catalog.ts'

it.each([
  [undefined, 'https://huggingface.co'],
  ['', 'https://huggingface.co'],
  ['http://mirror:8081/hf/', 'http://mirror:8081/hf'],
])('the endpoint %j is %s', (text, endpoint) => {
  expect(hubEndpoint(text)).toBe(endpoint)
})

it.each(['huggingface.co', 'file:///models'])('refuses the endpoint %j', (endpoint) => {
  expect(() => hubEndpoint(endpoint)).toThrow('an http or https address is needed')
})

it('knows gpt-oss-20b by each of its checksums, and nothing else', () => {
  const known = GPT_OSS_20B.expected.map(({ sha256 }) => knownModel(sha256)?.name)
  expect(known).toEqual(['gpt-oss-20b', 'gpt-oss-20b'])
  expect(knownModel('0'.repeat(64))).toBeNull()
})
