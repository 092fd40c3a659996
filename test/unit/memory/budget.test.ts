import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { budgetOf, judgeFit, type Machine, reserveWithin } from '../../../src/memory/budget.ts'

const GIB = 2 ** 30
const mac: Machine = {
  memory: { totalBytes: 24 * GIB, source: 'physical' },
  reserveBytes: 4 * GIB,
  gpu: { limitBytes: 16 * GIB, source: 'engine', sharesMemory: true },
}

describe('budgetOf', () => {
  it('keeps the reserve for other apps, and 1 GiB of the GPU', () => {
    const { memory, gpu } = budgetOf(mac)
    expect(memory.usableBytes).toBe(20 * GIB)
    expect(gpu).toMatchObject({ reserveBytes: GIB, usableBytes: 15 * GIB })
  })

  it('is never less than nothing', () => {
    const gpu = { limitBytes: GIB / 2, source: 'engine', sharesMemory: true } as const
    const budget = budgetOf({ ...mac, reserveBytes: 99 * GIB, gpu })
    expect(budget.memory.usableBytes).toBe(0)
    expect(budget.gpu?.usableBytes).toBe(0)
  })

  it.each([
    [32, 12, 12],
    [16, 4, 4],
    [8, 4, 2],
    [2, 4, 0.5],
    [8, 1, 1],
  ])('of %d GiB keeps, when %d are asked for, %d free', (total, asked, kept) => {
    expect(reserveWithin(total * GIB, asked * GIB)).toBe(kept * GIB)
  })

  it('does not know what may be used of a limit that is not known', () => {
    const gpu = { limitBytes: null, source: 'engine', sharesMemory: true } as const
    expect(budgetOf({ ...mac, gpu }).gpu?.usableBytes).toBeNull()
  })
})

describe('judgeFit', () => {
  const judge = (gpuGib: number, hostGib: number, machine: Machine = mac) =>
    judgeFit(
      { gpuBytes: gpuGib * GIB, hostBytes: hostGib * GIB, totalBytes: (gpuGib + hostGib) * GIB },
      budgetOf(machine),
    )

  it.each([
    [13, 3, { kind: 'fits', spareBytes: 4 * GIB, gpuSpareBytes: 2 * GIB }],
    [15, 5, { kind: 'fits', spareBytes: 0, gpuSpareBytes: 0 }],
    [16, 1, { kind: 'short', memoryShortBytes: 0, gpuShortBytes: GIB }],
    [13, 9, { kind: 'short', memoryShortBytes: 2 * GIB, gpuShortBytes: 0 }],
    [17, 9, { kind: 'short', memoryShortBytes: 6 * GIB, gpuShortBytes: 2 * GIB }],
  ])('%d GiB on the GPU and %d on the host of a Mac', (gpu, host, expected) => {
    expect(judge(gpu, host)).toEqual(expected)
  })

  it('takes from the memory of the machine only what a GPU of its own memory does not hold', () => {
    const gpu = { limitBytes: 16 * GIB, source: 'engine', sharesMemory: false } as const
    const machine: Machine = { ...mac, gpu }
    expect(judge(15, 20, machine)).toMatchObject({ kind: 'fits', spareBytes: 0 })
    expect(judge(15, 21, machine)).toMatchObject({ memoryShortBytes: GIB, gpuShortBytes: 0 })
  })

  it('holds nothing against a GPU whose limit is not known', () => {
    const gpu = { limitBytes: null, source: 'engine', sharesMemory: true } as const
    expect(judge(19, 1, { ...mac, gpu })).toEqual({
      kind: 'fits',
      spareBytes: 0,
      gpuSpareBytes: null,
    })
  })

  it('needs exactly what it says is missing', () => {
    const gib = fc.integer({ min: 0, max: 64 })
    fc.assert(
      fc.property(gib, gib, (gpuGib, hostGib) => {
        const fit = judge(gpuGib, hostGib)
        const [memoryShort, gpuShort] =
          fit.kind === 'fits' ? [0, 0] : [fit.memoryShortBytes, fit.gpuShortBytes]
        const larger: Machine = {
          memory: { ...mac.memory, totalBytes: mac.memory.totalBytes + memoryShort },
          reserveBytes: mac.reserveBytes,
          gpu: { limitBytes: 16 * GIB + gpuShort, source: 'engine', sharesMemory: true },
        }
        expect(judge(gpuGib, hostGib, larger).kind).toBe('fits')
      }),
    )
  })
})
