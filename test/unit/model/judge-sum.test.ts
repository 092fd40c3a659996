import { expect, test } from 'vitest'
import { judgeSum, type SumFacts } from '../../../src/model/judge-sum.ts'

const facts: SumFacts = { sha256: 'aa', wanted: null, known: null, origin: null }
const origin = {
  source: null,
  sizeBytes: 1,
  sha256: 'aa',
  checked: 'published',
  at: '2026-01-02T03:04:05Z',
} as const

test.each<[string, Partial<SumFacts>, string, string]>([
  ['nothing to hold it against', {}, 'unknown', 'nobody told what it must be'],
  ['a known model', { known: 'gpt-oss-20b' }, 'good', 'the published one of gpt-oss-20b'],
  ['the sum that was given', { wanted: 'aa' }, 'good', 'the one given'],
  ['another sum given', { wanted: 'bb' }, 'changed', 'another than the one given, bb'],
  [
    'another sum given, of a known model',
    { wanted: 'bb', known: 'gpt-oss-20b' },
    'changed',
    'another than the one given, bb',
  ],
  ['as downloaded', { origin }, 'good', 'as when it was downloaded (2026-01-02)'],
  [
    'as at the first look',
    { origin: { ...origin, checked: 'first-use' } },
    'good',
    'the same as at the first look (2026-01-02)',
  ],
  [
    'changed since',
    { origin: { ...origin, sha256: 'bb' } },
    'changed',
    'it must be bb: the file has changed since 2026-01-02',
  ],
  [
    'a known model, whatever was noted',
    { known: 'gpt-oss-20b', origin: { ...origin, sha256: 'bb' } },
    'good',
    'the published one of gpt-oss-20b',
  ],
])('%s', (_what, more, kind, text) => {
  expect(judgeSum({ ...facts, ...more })).toMatchObject({
    kind,
    text: expect.stringContaining(text),
  })
})
