import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { parseCounter, parseLimit } from '../../../src/memory/linux/cgroup-limit.ts'
import { parseMemInfo, parseSwapCounters } from '../../../src/memory/linux/meminfo.ts'
import { parseNvidiaSmi } from '../../../src/memory/linux/nvidia-smi.ts'
import { parseResident, parseShare } from '../../../src/memory/linux/process-memory.ts'
import { parseStalls } from '../../../src/memory/linux/stalls.ts'
import { cuts, garbage, isPartOf, numbersIn, spoilt } from './captures.ts'

function fixture(name: string): string {
  return readFileSync(join(import.meta.dirname, '../../fixtures/linux', name), 'utf8')
}

const mib = 2 ** 20

describe('/proc/meminfo', () => {
  it('is read in bytes', () => {
    const text =
      'MemTotal:       24684092 kB\nMemFree:        20558664 kB\nMemAvailable:   23398000 kB\nSwapTotal:       2000000 kB\nSwapFree:        1500000 kB\n'
    expect(parseMemInfo(text)).toEqual({
      totalBytes: 24_684_092 * 1024,
      availableBytes: 23_398_000 * 1024,
      swapUsedBytes: 500_000 * 1024,
    })
  })

  it('has what an old kernel does not tell as unknown', () => {
    expect(parseMemInfo('MemTotal: 1024 kB\nMemFree: 512 kB\n')).toEqual({
      totalBytes: mib,
      availableBytes: null,
      swapUsedBytes: null,
    })
  })

  it('has no swap in use where there is none', () => {
    expect(parseMemInfo(fixture('meminfo.txt')).swapUsedBytes).toBe(0)
  })
})

test('/proc/vmstat counts swapped pages, and nothing from half a line', () => {
  expect(parseSwapCounters('nr_free_pages 1\npswpin 12\npswpout 345\npswpoutx 1\n')).toEqual({
    pagesIn: 12,
    pagesOut: 345,
  })
  expect(parseSwapCounters('pswpin 12\npswpout 34')).toEqual({ pagesIn: 12, pagesOut: null })
})

test.each([
  [
    'some avg10=12.34 avg60=1.00 avg300=0.20 total=99\nfull avg10=3.00 avg60=0.00 avg300=0.00 total=1\n',
    12.34,
  ],
  [
    'full avg10=3.00 avg60=0.00 avg300=0.00 total=1\nsome avg10=0.00 avg60=0.00 avg300=0.00 total=1\n',
    0,
  ],
  ['some avg10=100.01 avg60=0.00', null],
  ['some avg10=1,50 avg60=0,00 ', null],
  ['some avg10=12.3', null],
  ['', null],
])('/proc/pressure/memory %j is %j', (text, percent) => {
  expect(parseStalls(text)).toBe(percent)
})

describe('one process', () => {
  it('has its fair share, and what of it is swapped out', () => {
    const rollup =
      '5645d857c000-7ffd61068000 ---p 00000000 00:00 0   [rollup]\nRss:   1628 kB\nPss:    241 kB\nPss_Anon:  112 kB\nSwap:   900 kB\nSwapPss:   9 kB\n'
    expect(parseShare(rollup)).toBe(250 * 1024)
  })

  test.each([
    ['Rss: 5 kB\n', null],
    ['', null],
    ['Pss:   x kB\n', null],
    ['Pss:   7 kB\n', null],
    ['Pss:   7 kB\nSwapPss: 0 kB\n', 7 * 1024],
  ])('has %j as %j', (rollup, bytes) => {
    expect(parseShare(rollup)).toBe(bytes)
  })

  it('has its resident and swapped pages', () => {
    expect(parseResident('Name:\tx\nVmRSS:\t   100 kB\nVmSwap:\t    28 kB\n')).toBe(128 * 1024)
  })

  it('has none when it is a zombie', () => {
    expect(parseResident('Name:\tx\nState:\tZ (zombie)\n')).toBeNull()
  })
})

describe('control groups', () => {
  test.each([
    [['9223372036854771712\n'], Infinity],
    [['max\n', 'max\n'], Infinity],
    [['max\n', '1073741824\n'], 2 ** 30],
    [['2147483648\n', '1073741824\n'], 2 ** 30],
    [['', ''], Infinity],
    [[], Infinity],
    [['-1\n'], Infinity],
  ])('have of %j the limit %d', (texts, limit) => {
    expect(parseLimit(texts)).toBe(limit)
  })

  it('count what can be dropped, by its whole name', () => {
    const stat = 'total_inactive_file 5\ninactive_file 7\nactive_file 9'
    expect(parseCounter(stat, 'inactive_file')).toBe(7)
    expect(parseCounter(stat, 'active_file')).toBeNull()
    expect(parseCounter(fixture('cgroup-v1-memory.stat.txt'), 'total_inactive_file')).not.toBeNull()
  })
})

describe('nvidia-smi', () => {
  test.each([
    ['1024, 24564, 37\n', { usedBytes: 1024 * mib, totalBytes: 24_564 * mib, busiestPercent: 37 }],
    ['1, 10, 5\n2, 20, 90\n', { usedBytes: 3 * mib, totalBytes: 30 * mib, busiestPercent: 90 }],
    ['[N/A], [N/A], 12\n', { usedBytes: null, totalBytes: null, busiestPercent: 12 }],
    ['1, 10, [Not Supported]\n', { usedBytes: mib, totalBytes: 10 * mib, busiestPercent: null }],
    ['No devices were found\n', null],
    ['Failed to initialize NVML: Driver/library version mismatch\n', null],
    ['1024, 24564, 3', null],
    ['', null],
  ])('prints %j: %j', (text, gpus) => {
    expect(parseNvidiaSmi(text)).toEqual(gpus)
  })
})

const parsers: [name: string, parse: (text: string) => unknown, text: string][] = [
  ['meminfo', parseMemInfo, fixture('meminfo.txt')],
  ['vmstat', parseSwapCounters, fixture('vmstat.txt')],
  ['pressure', parseStalls, fixture('pressure-memory.txt')],
  ['smaps_rollup', parseShare, fixture('smaps_rollup.txt')],
  ['status', parseResident, fixture('status.txt')],
  [
    'memory.stat',
    (text) => parseCounter(text, 'inactive_file'),
    fixture('cgroup-v1-memory.stat.txt'),
  ],
  ['nvidia-smi', parseNvidiaSmi, '1024, 24564, 37\n'],
]

describe.each(parsers)('the parser of %s', (_name, parse, text) => {
  it('reads what this kernel wrote', () => {
    expect(numbersIn(parse(text)).length).toBeGreaterThan(0)
  })

  it('never makes a number of half of one', () => {
    fc.assert(
      fc.property(cuts(text), (cut) => {
        expect(isPartOf(parse(cut), parse(text))).toBe(true)
      }),
    )
  })

  it('neither throws nor tells what cannot be, whatever is in the text', () => {
    const anything = fc.oneof(garbage(), spoilt(text))
    fc.assert(
      fc.property(anything, (other) => {
        const numbers = numbersIn(parse(other))
        expect(numbers.every((value) => value >= 0 && Number.isFinite(value))).toBe(true)
      }),
      { numRuns: 200 },
    )
  })
})
