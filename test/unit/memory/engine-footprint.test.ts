import { expect, it } from 'vitest'
import { known, unknown } from '../../../src/memory/answer.ts'
import { createFootprintReader } from '../../../src/memory/linux/engine-footprint.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

const status = 'VmRSS: 100 kB\nVmSwap: 0 kB\n'
const { signal } = new AbortController()

it('a count that took long is not repeated until it took a thousandth of the time', async () => {
  const clock = new FakeClock()
  const counts: string[] = []
  const read = createFootprintReader(
    {
      readText: () => Promise.resolve(status),
      runTool: async (file, args) => {
        counts.push([file, ...args].join(' '))
        await clock.advance(500)
        return { kind: 'ended', stdout: 'Pss: 90 kB\nSwapPss: 0 kB\n', failure: null }
      },
    },
    clock,
  )
  expect(await read('7', signal)).toEqual(known(90 * 1024))
  await clock.advance(499_999)
  await read('7', signal)
  expect(counts).toEqual(['cat /proc/7/smaps_rollup'])
  await clock.advance(1)
  await read('7', signal)
  expect(counts).toHaveLength(2)
})

it('is unknown where the kernel does not let us look', async () => {
  const denied = createFootprintReader(
    {
      readText: () => Promise.reject(Object.assign(new Error('EACCES: no'), { code: 'EACCES' })),
      runTool: () => Promise.resolve({ kind: 'failed', reason: 'no' }),
    },
    new FakeClock(),
  )
  expect(await denied('7', signal)).toEqual(
    unknown('the kernel does not let us see what the engine takes: EACCES'),
  )
  const failure = 'cat ended with status 1: cat: /proc/7/smaps_rollup: Permission denied'
  const half = createFootprintReader(
    {
      readText: () => Promise.resolve(status),
      runTool: () => Promise.resolve({ kind: 'ended', stdout: '', failure }),
    },
    new FakeClock(),
  )
  expect(await half('7', signal)).toEqual(unknown(failure))
})
