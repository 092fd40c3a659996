import { totalmem } from 'node:os'
import { describe, expect, it, test } from 'vitest'
import { parseFootprint, readMemory } from '../../../src/memory/read-memory.ts'

describe('parseFootprint()', () => {
  it('adds what is swapped out to the share of what is not', () => {
    const rollup =
      '5645d857c000-7ffd61068000 ---p 00000000 00:00 0   [rollup]\nRss:   1628 kB\nPss:    241 kB\nPss_Anon:  112 kB\nSwap:   900 kB\nSwapPss:   9 kB\n'
    expect(parseFootprint(rollup)).toBe(250 * 1024)
  })

  test.each([
    ['Rss: 5 kB\n', null],
    ['', null],
    ['Pss:   x kB\n', null],
    ['Pss:   7 kB\n', 7 * 1024],
  ])('reads %j as %j', (rollup, bytes) => {
    expect(parseFootprint(rollup)).toBe(bytes)
  })
})

describe('readMemory()', () => {
  it('knows the machine, and of a process only where the system tells', async () => {
    const told = process.platform === 'linux'
    const { totalBytes, availableBytes, footprintBytes } = await readMemory(process.pid)
    expect(totalBytes).toBe(totalmem())
    expect(availableBytes !== null && availableBytes > 0 && availableBytes < totalBytes).toBe(told)
    expect(footprintBytes !== null && footprintBytes > 1_000_000).toBe(told)
  })

  test.each([null, 2 ** 22 + 1])('has no footprint for the engine %s', async (pid) => {
    expect((await readMemory(pid)).footprintBytes).toBeNull()
  })
})
