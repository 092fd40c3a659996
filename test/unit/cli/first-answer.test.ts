import { expect, test } from 'vitest'
import { readAnswer } from '../../../src/cli/first-question.ts'
import { otherVersion, renderFirstAnswer } from '../../../src/cli/render-first-answer.ts'

const told = {
  url: 'http://127.0.0.1:8020',
  model: 'gpt-oss-20b',
  testModel: false,
  reason: null,
  answer: 'A lot',
  byNpm: true,
}

test('the first answer comes with the real address and what to do next', () => {
  const text = renderFirstAnswer(told).join('\n')
  expect(text).toContain('Answer:   A lot')
  expect(text).toContain('curl http://127.0.0.1:8020/v1/chat/completions')
  expect(text).toContain('npm stop')
  expect(text).not.toContain('test model')
})

test('the test model is named as such, with the reason', () => {
  const text = renderFirstAnswer({ ...told, testModel: true, reason: 'no network' }).join('\n')
  expect(text).toContain('built-in test model: fixed words, NOT gpt-oss-20b\nWhy: no network')
})

test('outside npm the commands are named as they are in the PATH', () => {
  const text = renderFirstAnswer({ ...told, byNpm: false }).join('\n')
  expect(text).toContain('  oss20bd status')
  expect(text).not.toContain('npm')
})

test.each([
  ['{"choices":[{"message":{"content":" Hello "}}]}', 'Hello'],
  ['{"choices":[{"message":{"content":""}}]}', null],
  ['{"choices":[{"message":{"content":null}}]}', null],
  ['{"choices":[]}', null],
  ['{"error":{"message":"x"}}', null],
  ['null', null],
  ['not json', null],
])('%s answers %j', (text, expected) => {
  expect(readAnswer(text)).toBe(expected)
})

test('a daemon of another version is said, with how to change to this one', () => {
  const versions = { daemon: '0.1.0', own: '0.2.0', isService: false, byNpm: true }
  expect(otherVersion({ ...versions, daemon: '0.2.0' })).toBeNull()
  expect(otherVersion(versions)).toBe(
    'The daemon that runs is version 0.1.0, this program is 0.2.0. To change to it: bin/oss20bd stop && bin/oss20bd start',
  )
  expect(otherVersion({ ...versions, isService: true, byNpm: false })).toMatch(
    /: oss20bd install$/u,
  )
})
