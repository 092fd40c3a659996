import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { levelOf, signsOf, watchSignals, type Watches } from '../../../src/memory/headroom-level.ts'
import { judgeSignals } from '../../../src/memory/headroom-signals.ts'
import type { MemoryReading } from '../../../src/memory/memory-reading.ts'
import { headroomSettings as settings } from '../../helpers/headroom.ts'
import { GIB, MIB, reading } from '../../helpers/memory-reading.ts'

const PLANNED_BYTES = 13 * GIB
const RANK = { ok: 0, tight: 1, critical: 2 }

/** The levels of readings 2 s apart, and the signs at the end. */
function live(readings: readonly Partial<MemoryReading>[], everyMs = 2000) {
  let watches: Watches = {}
  const seen = readings.map((known, index) => {
    const atMs = index * everyMs
    const judgements = judgeSignals(reading({ ...known, atMs }), PLANNED_BYTES, settings)
    watches = watchSignals(watches, judgements, atMs, settings)
    const signs = signsOf(watches, judgements, atMs)
    return { level: levelOf(signs), signs }
  })
  return { levels: seen.map(({ level }) => level), signs: seen.at(-1)?.signs ?? [] }
}

function repeat(times: number, known: Partial<MemoryReading>) {
  return Array.from({ length: times }, () => known)
}

const calm = {
  totalBytes: 32 * GIB,
  availableBytes: 20 * GIB,
  pressure: 'normal',
  stalledPercent: 0,
  swapOutBytesPerSecond: 0,
  compressorSegmentsShare: 0.1,
  freeDiskBytes: 100 * GIB,
  footprintBytes: 13 * GIB,
  gpuUsedBytes: 13 * GIB,
  gpuLimitBytes: 25 * GIB,
} satisfies Partial<MemoryReading>

describe('a signal', () => {
  test.each<[Partial<MemoryReading>, string, string, string]>([
    [
      { pressure: 'warning' },
      'tight',
      'one-at-a-time',
      'the system reports warning memory pressure',
    ],
    [{ pressure: 'critical' }, 'critical', 'unload', 'the system reports critical memory pressure'],
    [
      { availableBytes: 2.1 * GIB },
      'tight',
      'one-at-a-time',
      '2.1 GiB available, 4.0 GiB reserved',
    ],
    [
      { availableBytes: 2.1 * GIB, pressure: null },
      'tight',
      'smaller-context',
      '2.1 GiB available, 4.0 GiB reserved',
    ],
    [
      { availableBytes: 0.9 * GIB, pressure: null },
      'critical',
      'unload',
      '921.6 MiB available, 4.0 GiB reserved',
    ],
    [
      { availableBytes: 1.9 * GIB, totalBytes: 8 * GIB, pressure: null, freeDiskBytes: null },
      'tight',
      'smaller-context',
      '1.9 GiB available, 2.0 GiB reserved',
    ],
    [{ swapOutBytesPerSecond: 16 * MIB }, 'tight', 'smaller-context', 'swap grows by 16.0 MiB/s'],
    [{ swapOutBytesPerSecond: 80 * MIB }, 'critical', 'unload', 'swap grows by 80.0 MiB/s'],
    [
      { stalledPercent: 12 },
      'tight',
      'smaller-context',
      'programs wait for memory 12 % of the time',
    ],
    [{ stalledPercent: 41 }, 'critical', 'unload', 'programs wait for memory 41 % of the time'],
    [
      { compressorSegmentsShare: 0.6 },
      'tight',
      'smaller-context',
      "60 % of the memory compressor's segments are in use",
    ],
    [
      { compressorSegmentsShare: 0.85 },
      'critical',
      'unload',
      "85 % of the memory compressor's segments are in use",
    ],
    [
      { freeDiskBytes: 9 * GIB },
      'tight',
      'one-at-a-time',
      '9.0 GiB of disk free for swap files, 16.0 GiB may be needed',
    ],
    [
      { freeDiskBytes: GIB, swapOutBytesPerSecond: 1 },
      'critical',
      'unload',
      '1.0 GiB of disk free for swap files, and the machine swaps',
    ],
    [
      { footprintBytes: 14 * GIB },
      'tight',
      'recycle',
      'the engine takes 14.0 GiB, expected were 13.0 GiB',
    ],
    [
      { gpuUsedBytes: 24.9 * GIB },
      'tight',
      'smaller-context',
      '24.9 GiB of GPU memory in use, 25.0 GiB are the limit',
    ],
  ])('of %j is %s, justifies %s and says why', (known, level, reach, words) => {
    const { levels, signs } = live(repeat(6, { ...calm, ...known }))
    expect(levels.at(-1)).toBe(level)
    expect(signs).toEqual([expect.objectContaining({ level, reach, words: `${words} for 10 s` })])
  })

  it('counts once it has lasted: 10 s for tight, 4 s for critical', () => {
    expect(live(repeat(6, { swapOutBytesPerSecond: 20 * MIB })).levels).toEqual([
      ...repeat(5, {}).map(() => 'ok'),
      'tight',
    ])
    expect(live(repeat(3, { pressure: 'critical' })).levels).toEqual(['ok', 'ok', 'critical'])
  })

  it('does not count when it comes and goes', () => {
    const flicker = Array.from({ length: 60 }, (_, index) => ({
      swapOutBytesPerSecond: index % 3 === 0 ? 0 : 500 * MIB,
    }))
    expect(new Set(live(flicker).levels)).toEqual(new Set(['ok']))
  })

  it('stays until it has been calm for the dwell; half better is not calm', () => {
    const bad = repeat(6, { swapOutBytesPerSecond: 20 * MIB })
    const half = repeat(300, { swapOutBytesPerSecond: 8 * MIB })
    const good = repeat(61, { swapOutBytesPerSecond: 0 })
    const { levels } = live([...bad, ...half, ...good])
    expect(levels.slice(5, -1)).toEqual(levels.slice(5, -1).map(() => 'tight'))
    expect(levels.at(-1)).toBe('ok')
  })

  it('says when it was last so', () => {
    const { signs } = live([
      ...repeat(6, { swapOutBytesPerSecond: 20 * MIB }),
      ...repeat(5, { swapOutBytesPerSecond: 0 }),
    ])
    expect(signs.map(({ words }) => words)).toEqual(['swap grows by 20.0 MiB/s, 10 s ago'])
  })

  it('is not broken by a short gap, nor made of a long one', () => {
    const bad = { pressure: 'warning' } as const
    expect(live([bad, {}, {}, {}, {}, bad]).levels.at(-1)).toBe('tight')
    expect(live([bad, ...repeat(20, {}), bad]).levels.at(-1)).toBe('ok')
    expect(live([bad, bad], 8 * 3_600_000).levels.at(-1)).toBe('ok')
  })

  it('that nobody can see any more is forgotten', () => {
    const { levels } = live([...repeat(6, { pressure: 'warning' }), ...repeat(62, {})])
    expect(levels[60]).toBe('tight')
    expect(levels.at(-1)).toBe('ok')
  })

  it('of a full disk matters neither on Linux nor where nothing is swapped', () => {
    const known = reading({ ...calm, freeDiskBytes: GIB })
    const onLinux = judgeSignals(known, null, { ...settings, swapFilesGrow: false })
    const onMac = judgeSignals(known, null, settings)
    expect(onLinux.filter(({ verdict }) => verdict === 'over')).toEqual([])
    expect(onMac.filter(({ verdict }) => verdict === 'over').map(({ level }) => level)).toEqual([
      'tight',
    ])
  })
})

const pressure = fc.constantFrom('normal', 'warning', 'critical')

/** A reading, and one that is worse or the same in every value. */
const pair = fc
  .tuple(
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.tuple(pressure, pressure),
    fc.constantFrom('none', 'pressure', 'available', 'swap'),
  )
  .map(([a, b, pressures, missing]) => {
    const [better, worse] = [Math.min(a, b), Math.max(a, b)]
    const [low, high] = pressures.toSorted((x, y) => order(x) - order(y))
    return [
      badReading(better, low ?? 'normal', missing),
      badReading(worse, high ?? 'normal', missing),
    ] as const
  })

function order(value: 'normal' | 'warning' | 'critical'): number {
  return ['normal', 'warning', 'critical'].indexOf(value)
}

function badReading(
  badness: number,
  level: MemoryReading['pressure'],
  missing: string,
): Partial<MemoryReading> {
  return {
    totalBytes: 32 * GIB,
    availableBytes: missing === 'available' ? null : (1 - badness) * 8 * GIB,
    pressure: missing === 'pressure' ? null : level,
    stalledPercent: badness * 100,
    swapOutBytesPerSecond: missing === 'swap' ? null : badness * 128 * MIB,
    compressorSegmentsShare: badness,
    freeDiskBytes: (1 - badness) * 24 * GIB,
    footprintBytes: 13 * GIB + badness * 2 * GIB,
    gpuUsedBytes: (24 + badness) * GIB,
    gpuLimitBytes: 25 * GIB,
  }
}

test('worse readings never give a milder level', () => {
  const held = fc.tuple(pair, fc.constantFrom(1, 3, 6, 62))
  fc.assert(
    fc.property(fc.array(held, { minLength: 1, maxLength: 6 }), (parts) => {
      const better = live(parts.flatMap(([[part], times]) => repeat(times, part))).levels
      const worse = live(parts.flatMap(([[, part], times]) => repeat(times, part))).levels
      const milder = worse.findIndex((level, at) => RANK[level] < RANK[better[at] ?? 'ok'])
      expect(milder).toBe(-1)
    }),
  )
})

test('what is unknown is never a sign', () => {
  const some = fc.record(
    {
      totalBytes: fc.constant(32 * GIB),
      swapUsedBytes: fc.nat(),
      freePercent: fc.nat(100),
      compressorBytes: fc.nat(),
      footprintBytes: fc.constant(13 * GIB),
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(fc.array(some, { maxLength: 60 }), (readings) => {
      expect(new Set(['ok', ...live(readings).levels])).toEqual(new Set(['ok']))
    }),
  )
})
