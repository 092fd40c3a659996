import { describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { parseVmStat } from '../../../src/memory/darwin/vm-stat.ts'
import { known, unknown } from '../../../src/memory/answer.ts'
import {
  crossCheckMemory,
  type Informant,
  readMachineFacts,
} from '../../../src/memory/machine-facts.ts'
import { createMemorySampler } from '../../../src/memory/memory-sampler.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { capture } from './captures.ts'

const gib = 2 ** 30

const mac: Informant = {
  cpu: () => Promise.resolve({ manufacturer: 'Apple', brand: 'M4', cores: 10 }),
  osInfo: () => Promise.resolve({ distro: 'macOS', release: '26.5' }),
  system: () => Promise.resolve({ model: 'Mac16,10' }),
  mem: () => Promise.resolve({ total: 32 * gib, available: gib, active: 20 * gib }),
}

describe('readMachineFacts()', () => {
  it('names the machine', async () => {
    expect(await readMachineFacts(new FakeClock(), mac)).toEqual({
      model: 'Mac16,10',
      chip: 'Apple M4',
      cores: 10,
      system: 'macOS 26.5',
    })
  })

  it('knows nothing of what is not told in time, or not at all', async () => {
    const clock = new FakeClock()
    const facts = readMachineFacts(clock, {
      ...mac,
      cpu: () => new Promise(() => undefined),
      osInfo: () => Promise.reject(new Error('no')),
      system: () => Promise.resolve({ model: ' ' }),
    })
    await clock.advance(10_000)
    expect(await facts).toEqual({ model: null, chip: null, cores: null, system: null })
  })

  it('knows this machine', async () => {
    expect((await readMachineFacts(systemClock)).cores).toBeGreaterThan(0)
  })
})

describe('crossCheckMemory()', () => {
  const clock = new FakeClock()

  it('compares with what Activity Monitor would show on macOS', async () => {
    const reading = { totalBytes: 32 * gib, availableBytes: 11 * gib }
    expect(await crossCheckMemory(reading, 'darwin', clock, mac)).toEqual(
      known({ usedBytes: 21 * gib, otherUsedBytes: 20 * gib, agrees: true }),
    )
  })

  it('agrees with the sum that Activity Monitor makes of a capture', () => {
    const pages = parseVmStat(
      capture('vm_stat-swapusage-top-A-model-swapped-out-macmini-32gb-macos27.0.txt'),
    )!
    const used = pages.anonymous! - pages.purgeable! + pages.wired! + pages.occupiedByCompressor!
    const ours = (32 * gib) / pages.pageBytes - (pages.free! + pages.fileBacked! + pages.purgeable!)
    expect(Math.abs(used - ours) * pages.pageBytes).toBeLessThan(gib)
  })

  it('tells when the two do not agree', async () => {
    const reading = { totalBytes: 32 * gib, availableBytes: 30 * gib }
    expect(await crossCheckMemory(reading, 'linux', clock, mac)).toEqual(
      known({ usedBytes: 2 * gib, otherUsedBytes: 31 * gib, agrees: false }),
    )
  })

  it('says why there is nothing to compare', async () => {
    const reading = { totalBytes: 8 * gib, availableBytes: gib }
    expect(await crossCheckMemory(reading, 'linux', clock, mac)).toEqual(
      unknown('it knows nothing of the limits of control groups'),
    )
    expect(
      await crossCheckMemory({ totalBytes: null, availableBytes: null }, 'linux', clock, mac),
    ).toEqual(unknown('there is no reading of ours'))
    const mem = () => Promise.reject(new Error('no'))
    expect(await crossCheckMemory(reading, 'linux', clock, { mem })).toEqual(
      unknown('systeminformation does not tell it'),
    )
  })

  it('agrees on this machine, or the machine is limited', async () => {
    const options = { enginePid: () => null, engineFile: () => null, diskPath: '/' }
    const { platform } = process
    const reading = await createMemorySampler({ platform, ...options }).sample(20_000)
    const checked = await crossCheckMemory(reading, platform, systemClock)
    expect([true, 'it knows nothing of the limits of control groups']).toContain(
      checked.kind === 'known' ? checked.value.agrees : checked.reason,
    )
  })
})
