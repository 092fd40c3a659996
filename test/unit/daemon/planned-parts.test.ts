import { expect, test } from 'vitest'
import { partsInMemory, sumOf } from '../../../src/daemon/planned-parts.ts'

const need = {
  gpu: { weightBytes: 100, cacheBytes: 20, computeBytes: 7 },
  host: {
    weightBytes: 30,
    cacheBytes: 2,
    computeBytes: 3,
    outputBytes: 4,
    promptCacheBytes: 50,
    checkpointBytes: 6,
    processBytes: 8,
  },
  sharedBytes: 25,
}
const gpu = { limitBytes: 1, source: 'engine', reserveBytes: 0, usableBytes: 1 } as const

test('what is in both parts of one memory is there once', () => {
  const parts = partsInMemory(need, { gpu: { ...gpu, sharesMemory: true } })
  expect(parts).toEqual({ weightBytes: 105, contextBytes: 22, workBytes: 22, promptCacheBytes: 56 })
  expect(sumOf(parts)).toBe(100 + 20 + 7 + 30 + 2 + 3 + 4 + 50 + 6 + 8 - 25)
})

test('what a GPU with memory of its own holds is no part of it', () => {
  const parts = partsInMemory(need, { gpu: { ...gpu, sharesMemory: false } })
  expect(parts).toEqual({ weightBytes: 30, contextBytes: 2, workBytes: 15, promptCacheBytes: 56 })
})
