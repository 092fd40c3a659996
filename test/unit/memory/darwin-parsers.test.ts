import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { parseFootprint } from '../../../src/memory/darwin/footprint.ts'
import { parseIoreg } from '../../../src/memory/darwin/ioreg.ts'
import { parseMemoryPressure } from '../../../src/memory/darwin/memory-pressure.ts'
import { parseSwapUsage, parseSysctl } from '../../../src/memory/darwin/sysctl.ts'
import { parseTop } from '../../../src/memory/darwin/top.ts'
import { parseVmStat } from '../../../src/memory/darwin/vm-stat.ts'
import { parseDeviceList } from '../../../src/device-list.ts'
import { gpuLimit } from '../../../src/memory/list-devices.ts'
import { capture, cuts, garbage, isPartOf, numbersIn, shuffled, spoilt } from './captures.ts'

const mib = 2 ** 20

describe('vm_stat', () => {
  it('is read whole, with the lines that only macOS 27 prints left out', () => {
    const text = capture('vm_stat-swapusage-top-A-model-swapped-out-macmini-32gb-macos27.0.txt')
    expect(parseVmStat(text)).toEqual({
      pageBytes: 16_384,
      free: 10_069,
      active: 432_859,
      inactive: 426_177,
      speculative: 5899,
      throttled: 0,
      wired: 171_481,
      purgeable: 11_278,
      fileBacked: 398_262,
      anonymous: 466_673,
      storedInCompressor: 1_108_263,
      occupiedByCompressor: 1_013_366,
      decompressions: 18_805_352,
      compressions: 34_308_412,
      pageIns: 77_347_900,
      pageOuts: 115_304,
      swapIns: 1_024_615,
      swapOuts: 3_028_624,
    })
  })

  test.each([
    ['vm_stat-warn-37pct-m4-24gb-macos26.5.txt', 4639, 720_838, 52_631_520, 72_505_814],
    ['vm_stat-16k-heavy-swap-16gb-2026-08.txt', 3860, 389_264, 9_544_460, 11_141_085],
    ['vm_stat-16k-mlx-profiler-2026.txt', 26_450, 44_642, 714_859, 1_527_838],
    ['vm_stat-32gb-trimmed-unverified-2026-09.txt', 4430, 822_517, null, null],
  ])('%s has its numbers', (name, free, occupiedByCompressor, swapIns, swapOuts) => {
    expect(parseVmStat(capture(name))).toMatchObject({
      pageBytes: 16_384,
      free,
      occupiedByCompressor,
      swapIns,
      swapOuts,
    })
  })

  it('counts speculative pages among those of files', () => {
    const pages = parseVmStat(
      capture('vm_stat-swapusage-top-A-model-swapped-out-macmini-32gb-macos27.0.txt'),
    )!
    expect(pages.fileBacked! + pages.anonymous!).toBe(
      pages.active! + pages.inactive! + pages.speculative!,
    )
  })

  it('is nothing without the size of a page', () => {
    expect(parseVmStat('Pages free:     3860.\n')).toBeNull()
    expect(
      parseVmStat('Mach Virtual Memory Statistics: (page size of 0 bytes)\nPages free: 3.\n'),
    ).toBeNull()
  })

  it('has no number where something else is printed', () => {
    const head = 'Mach Virtual Memory Statistics: (page size of 16384 bytes)\n'
    for (const line of ['Pages free: 1,234.', 'Pages free: -3.', 'Pages free: 3', 'Pages free:'])
      expect(parseVmStat(`${head}${line}\n`)).toMatchObject({ pageBytes: 16_384, free: null })
  })
})

describe('sysctl', () => {
  it('tells all of a Mac of 32 GB under pressure', () => {
    expect(parseSysctl(capture('sysctl-32gb-pressure-warn-unverified-2026-09.txt'))).toEqual({
      totalBytes: 34_359_738_368,
      pressure: 'warning',
      freePercent: 50,
      swap: {
        totalBytes: 3072 * mib,
        usedBytes: Math.round(2280.94 * mib),
        freeBytes: Math.round(791.06 * mib),
      },
      segmentLimit: null,
      wiredLimitMib: null,
    })
  })

  test.each([
    [
      'sysctl-wired-limit-default-m2pro-32gb-macos26.5.1.txt',
      { totalBytes: 34_359_738_368, wiredLimitMib: 0 },
    ],
    ['sysctl-m4pro-48gb.txt', { totalBytes: 51_539_607_552, pressure: null, swap: null }],
    ['sysctl-hw-m4-24gb-macos26.5.txt', { totalBytes: 25_769_803_776 }],
    [
      'sysctl-m2max-64gb-wired-limit-macos15.5.txt',
      { totalBytes: 68_719_476_736, wiredLimitMib: 0 },
    ],
    ['sysctl-compressor-segment-limits-m1max-64gb-macos15.6.1.txt', { segmentLimit: 1_629_615 }],
    [
      'sysctl-pressure-warn-sampleA-m4-24gb-macos26.5.txt',
      { pressure: 'warning', freePercent: 38 },
    ],
    [
      'sysctl-pressure-warn-5min-later-m4-24gb-macos26.5.txt',
      { pressure: 'warning', freePercent: 40 },
    ],
    [
      'sysctl-memorystatus-swapusage-warn-m4-24gb-macos26.5.txt',
      { pressure: 'warning', freePercent: 37 },
    ],
    // The limit as it is set, old and new: not a value.
    ['sysctl-wired-limit-write.txt', { wiredLimitMib: null }],
    ['sysctl-unknown-oid-stderr.txt', { totalBytes: null, pressure: null, freePercent: null }],
    ['sysctl-perflevels-m5max-super-cores.txt', { totalBytes: null }],
    ['sysctl-a-grep-cpu-m1pro.txt', { totalBytes: null }],
    ['sysctl-n-cpu-mem-m1pro-16gb-macos15.7.5.txt', { totalBytes: null }],
  ])('%s has its values', (name, values) => {
    expect(parseSysctl(capture(name))).toMatchObject(values)
  })

  test.each([
    ['sysctl-vm.swapusage-m4-24gb-macos26.5.txt', 15_348.81],
    ['sysctl-vm.swapusage-m1pro-16gb-macos15.7.5.txt', 1470.06],
    ['sysctl-memorystatus-swapusage-warn-m4-24gb-macos26.5.txt', 15_300.81],
  ])('%s has its swap', (name, usedMib) => {
    expect(parseSysctl(capture(name)).swap?.usedBytes).toBe(Math.round(usedMib * mib))
  })

  it('reads the swap of a call for the bare value', () => {
    const usage = parseSwapUsage(capture('sysctl-n-vm.swapusage-heavy.txt'))
    expect(usage?.usedBytes).toBe(Math.round(10_772.94 * mib))
  })

  it('reads a decimal comma, other units, and swap that is not encrypted', () => {
    const german = 'vm.swapusage: total = 1024,00M  used = 512,50M  free = 511,50M  (encrypted)\n'
    expect(parseSysctl(german).swap).toEqual({
      totalBytes: 1024 * mib,
      usedBytes: 512.5 * mib,
      freeBytes: 511.5 * mib,
    })
    expect(parseSwapUsage('total = 1.50G  used = 0.00M  free = 1536.00M')).toEqual({
      totalBytes: 1536 * mib,
      usedBytes: 0,
      freeBytes: 1536 * mib,
    })
  })

  test.each([
    ['1', 'normal'],
    ['2', 'warning'],
    ['4', 'critical'],
    ['0', null],
    ['3', null],
    ['8', null],
    ['-1', null],
    ['', null],
  ])('takes a pressure level of %j as %j', (level, pressure) => {
    expect(parseSysctl(`kern.memorystatus_vm_pressure_level: ${level}\n`).pressure).toBe(pressure)
  })

  it('has no value that cannot be', () => {
    expect(
      parseSysctl('kern.memorystatus_level: 101\nhw.memsize: 0\niogpu.wired_limit_mb: -1\n'),
    ).toMatchObject({ freePercent: null, totalBytes: null, wiredLimitMib: null })
  })
})

test.each([
  ['memory_pressure-38pct-m1pro-16gb-macos15.7.5.txt', 17_179_869_184, 38],
  ['memory_pressure-warn-37pct-m4-24gb-macos26.5.txt', 25_769_803_776, 37],
  ['memory_pressure-Q-warn-m4-24gb-macos26.5.txt', 25_769_803_776, 37],
  ['memory_pressure-Q-63pct-m5-24gb-macos26.6.2.txt', 25_769_803_776, 63],
])('%s has its values', (name, totalBytes, freePercent) => {
  expect(parseMemoryPressure(capture(name))).toEqual({ totalBytes, freePercent, pageBytes: 16_384 })
})

describe('footprint', () => {
  test.each([
    ['footprint-pid-mlx-server-compressed-m4-24gb-macos26.5.txt', 5086, 7944],
    ['footprint-p-swapped-wired-mlx-server-m4-24gb-macos26.5.txt', 5154, 9215],
  ])('%s has its values', (name, footprintMib, peakMib) => {
    expect(parseFootprint(capture(name))).toEqual({
      pid: 1581,
      footprintBytes: footprintMib * mib,
      peakBytes: peakMib * mib,
    })
  })

  test.each([
    ['912 B', 912],
    ['96 KB', 96 * 1024],
    ['12 GB', 12 * 2 ** 30],
    ['5333975040', null],
    ['1,5 GB', 1.5 * 2 ** 30],
    ['-3 MB', null],
  ])('takes %j as %j', (size, bytes) => {
    const text = `llama-server [7]: 64-bit    Footprint: 1 MB (16384 bytes per page)\nphys_footprint_peak: 1 MB\nphys_footprint: ${size}\n`
    expect(parseFootprint(text)?.footprintBytes ?? null).toBe(bytes)
  })

  it('is nothing for somebody who may not look', () => {
    expect(parseFootprint(capture('footprint-a-not-root-stderr-macos26.5.txt'))).toBeNull()
  })
})

describe('top', () => {
  test.each([
    ['top-l1-mem-m1pro-16gb-macos15.7.5.txt', 66_645, 568 * mib],
    ['top-l1-mem-m1pro-16gb-macos15.7.5.txt', 157, 846 * mib],
    ['top-l1-cpu-stats-m1pro-16gb-macos15.7.5.txt', 95_206, 6321 * 1024],
    ['top-l1-cpu-stats-m1pro-16gb-macos15.7.5.txt', 95_207, 753 * 1024],
    ['top-l1-cpu-stats-m1pro-16gb-macos15.7.5.txt', 4711, null],
  ])('%s shows process %d with %j bytes', (name, pid, bytes) => {
    expect(parseTop(capture(name), pid)).toBe(bytes)
  })

  test.each([
    ['5086M', 5086 * mib],
    ['5086M+', 5086 * mib],
    ['12G-', 12 * 2 ** 30],
    ['0B', 0],
    ['N/A', null],
  ])('takes %j as %j', (cell, bytes) => {
    expect(parseTop(`Processes: 5 total\n\nPID    MEM   \n4711   ${cell}\n`, 4711)).toBe(bytes)
  })
})

describe('ioreg', () => {
  it('is read from the statistics, not from the legend that repeats their names', () => {
    expect(parseIoreg(capture('ioreg-IOAccelerator-m4pro.txt'))).toEqual({
      model: 'Apple M4 Pro',
      cores: 16,
      devicePercent: 100,
      rendererPercent: 7,
      tilerPercent: 6,
      usedBytes: 10_977_263_616,
      allocatedBytes: 66_160_230_400,
      resets: 0,
    })
  })

  it('is read from single lines of it', () => {
    expect(parseIoreg(capture('ioreg-IOAccelerator-m4-grep-lines.txt'))).toEqual({
      model: 'Apple M4',
      cores: 10,
      devicePercent: 21,
      rendererPercent: 19,
      tilerPercent: 20,
      usedBytes: 351_141_888,
      allocatedBytes: 1_574_862_848,
      resets: 0,
    })
  })

  it('has no value for a negative number, printed as one or as what 64 bits make of it', () => {
    const statistics =
      '{"In use system memory"=18446744072001552384,"Device Utilization %"=-1,"recoveryCount"=2}'
    const text = `+-o AGXAcceleratorG16X  <class AGXAcceleratorG16X>\n  {\n "PerformanceStatistics" = ${statistics}\n }\n`
    expect(parseIoreg(text)).toMatchObject({ usedBytes: null, devicePercent: null, resets: 2 })
  })

  it('takes the first GPU of several, and none of another make', () => {
    const one = capture('ioreg-IOAccelerator-m4-grep-lines.txt')
    const other = capture('ioreg-IOAccelerator-m4pro.txt')
    expect(parseIoreg(one + other)).toEqual(parseIoreg(one))
    expect(parseIoreg('+-o AMDRadeonX6000  <class AMDRadeonX6000>\n  {\n  }\n')).toBeNull()
  })
})

describe('llama-server --list-devices', () => {
  it('gives the limit of the GPU', () => {
    const text = capture('llama-server-list-devices-m4pro-48gb-tail.log')
    expect(parseDeviceList(text)).toEqual([
      { id: 'MTL0', name: 'Apple M4 Pro', limitBytes: 38_338 * mib },
    ])
    expect(gpuLimit(text)).toEqual({ kind: 'known', value: 38_338 * mib })
  })

  it('adds up several GPUs, without what has no memory of its own', () => {
    const text =
      'Available devices:\n  CUDA0: NVIDIA GeForce RTX 4090 (24109 MiB, 23800 MiB free)\n  CUDA1: NVIDIA (old) (8000 MiB, 1 MiB free)\n  BLAS: OpenBLAS (0 MiB, 0 MiB free)\n'
    expect(gpuLimit(text)).toEqual({ kind: 'known', value: 32_109 * mib })
  })

  test.each([
    ['Available devices:\n  (none)\n', 'llama-server finds no GPU that it can use'],
    ['', 'llama-server --list-devices printed no list'],
  ])('tells why there is none in %j', (text, reason) => {
    expect(gpuLimit(text)).toEqual({ kind: 'unknown', reason })
  })
})

const parsers: [
  name: string,
  parse: (text: string) => unknown,
  captures: string[],
  kept: number,
][] = [
  [
    'vm_stat',
    parseVmStat,
    [
      'vm_stat-swapusage-top-A-model-swapped-out-macmini-32gb-macos27.0.txt',
      'vm_stat-warn-37pct-m4-24gb-macos26.5.txt',
    ],
    0,
  ],
  ['sysctl', parseSysctl, ['sysctl-32gb-pressure-warn-unverified-2026-09.txt'], 0],
  [
    'memory_pressure',
    parseMemoryPressure,
    [
      'memory_pressure-warn-37pct-m4-24gb-macos26.5.txt',
      'memory_pressure-Q-63pct-m5-24gb-macos26.6.2.txt',
    ],
    0,
  ],
  [
    'footprint',
    parseFootprint,
    [
      'footprint-pid-mlx-server-compressed-m4-24gb-macos26.5.txt',
      'footprint-p-swapped-wired-mlx-server-m4-24gb-macos26.5.txt',
    ],
    0,
  ],
  ['top', (text) => parseTop(text, 66_645), ['top-l1-mem-m1pro-16gb-macos15.7.5.txt'], 12],
  [
    'ioreg',
    parseIoreg,
    ['ioreg-IOAccelerator-m4pro.txt', 'ioreg-IOAccelerator-m4-grep-lines.txt'],
    1,
  ],
  ['list-devices', parseDeviceList, ['llama-server-list-devices-m4pro-48gb-tail.log'], 4],
]

describe.each(parsers)('the parser of %s', (_name, parse, names, kept) => {
  const texts = names.map((name) => capture(name))

  it('reads the same whatever the order of the lines', () => {
    for (const text of texts)
      fc.assert(
        fc.property(shuffled(text, kept), (order) => {
          expect(parse(order)).toEqual(parse(text))
        }),
        { numRuns: 50 },
      )
  })

  it('reads the same with other line ends', () => {
    for (const text of texts) expect(parse(text.replaceAll('\n', '\r\n'))).toEqual(parse(text))
  })

  it('tells of a cut text what it tells of the whole, or nothing', () => {
    for (const text of texts)
      fc.assert(
        fc.property(cuts(text), (cut) => {
          expect(isPartOf(parse(cut), parse(text))).toBe(true)
        }),
        { numRuns: 150 },
      )
  })

  it('takes nothing from an empty text', () => {
    expect(numbersIn(parse(''))).toEqual([])
    expect(numbersIn(parse('\n\n'))).toEqual([])
  })

  it('neither throws nor tells what cannot be, whatever is in the text', () => {
    const anything = fc.oneof(garbage(), ...texts.map((text) => spoilt(text)))
    fc.assert(
      fc.property(anything, (text) => {
        const numbers = numbersIn(parse(text))
        expect(numbers.every((value) => value >= 0 && Number.isSafeInteger(value))).toBe(true)
      }),
      { numRuns: 200 },
    )
  })
})
