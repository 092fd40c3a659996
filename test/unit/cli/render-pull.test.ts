import { expect, test } from 'vitest'
import { pullText } from '../../../src/cli/render-pull.ts'

const GiB = 2 ** 30

test('a download says how much, how fast and how long still', () => {
  const progress = {
    phase: 'downloading',
    fraction: 0.5,
    bytes: GiB,
    totalBytes: 3 * GiB,
    bytesPerSecond: GiB / 60,
  } as const
  expect(pullText(progress)).toBe('downloading 1.0 GiB of 3.0 GiB, 17.1 MiB/s, 2 min left')
})

test('a download that has just begun does not guess', () => {
  const progress = {
    phase: 'checking',
    fraction: 0,
    bytes: 0,
    totalBytes: GiB,
    bytesPerSecond: 0,
  } as const
  expect(pullText(progress)).toBe('checking 0 B of 1.0 GiB')
})
