import { expect, test } from 'vitest'
import { compare, lastAlike, readHistory } from '../../../../src/cli/bench/history.ts'
import { depth, sampleFigures } from './sample-figures.ts'

test('reads back what was written, and passes over lines that are no run', () => {
  const run = sampleFigures()
  const text = ['{"at":"2026', JSON.stringify(run), '{}', '', JSON.stringify(run)].join('\n')
  expect(readHistory(text)).toEqual([run, run])
  expect(readHistory('')).toEqual([])
})

const other = { chip: 'Apple M1', cores: 8, memoryBytes: 16 * 2 ** 30 }

test.each([
  ['model', { model: { name: 'gpt-oss-20b', sizeBytes: 5, testModel: false } }],
  ['context', { contextTokens: 8192 }],
  ['slots', { slots: 4 }],
  ['machine', { machine: other }],
])('a run with another %s is no measure', (_name, change) => {
  expect(lastAlike([sampleFigures(change)], sampleFigures())).toBeNull()
})

test('the last of the same kind counts, whatever its engine', () => {
  const older = sampleFigures({ at: '2026-11-01T00:00:00.000Z' })
  const newer = sampleFigures({ engineVersion: '0.4.0' })
  const history = [older, newer, sampleFigures({ contextTokens: 8192 })]
  expect(lastAlike(history, sampleFigures())).toBe(newer)
})

test('more than a tenth slower is a regression, less is chance', () => {
  const now = sampleFigures({
    depths: [
      depth(2048, { promptPerSecond: 1100, generatedPerSecond: 60 }),
      depth(8192, { promptPerSecond: 1500, generatedPerSecond: null }),
      depth(16_384),
    ],
    parallel: [{ requests: 2, generatedPerSecond: 78, slowestFirstTokenMs: 1 }],
  })
  const { slower, changes, at } = compare(sampleFigures(), now)
  expect(at).toBe('2026-11-20T08:30:00.000Z')
  expect(slower.map(({ what }) => what)).toEqual([
    'generation behind 2048 tokens',
    '2 at once, 128 tokens each',
  ])
  expect(slower[0]?.share).toBeCloseTo(-1 / 3)
  expect(changes.map(({ what }) => what)).toEqual([
    'reading 2048 tokens',
    'generation behind 2048 tokens',
    'reading 8192 tokens',
    '2 at once, 128 tokens each',
  ])
})
