import { expect, test } from 'vitest'
import { sampleFrom, thin } from '../../../../src/daemon/dashboard/sample.ts'

test('many samples become one per step: the mean of what is known, the last count', () => {
  const samples = [
    { atMs: 0, speed: 10, restarts: 1 },
    { atMs: 10_000, speed: null, restarts: 1 },
    { atMs: 20_000, speed: 20, restarts: 2 },
    { atMs: 60_000, speed: null, restarts: 2 },
  ].map(({ atMs, speed, restarts }) =>
    sampleFrom(atMs, (name) =>
      name === 'restarts' ? restarts : name === 'generatedPerSecond' ? speed : null,
    ),
  )
  const thinned = thin(samples, 60_000)
  expect(
    thinned.map(({ atMs, generatedPerSecond, restarts, swapUsedBytes }) => ({
      atMs,
      generatedPerSecond,
      restarts,
      swapUsedBytes,
    })),
  ).toEqual([
    { atMs: 0, generatedPerSecond: 15, restarts: 2, swapUsedBytes: null },
    { atMs: 60_000, generatedPerSecond: null, restarts: 2, swapUsedBytes: null },
  ])
})
