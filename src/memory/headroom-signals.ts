/** What a single reading says about the headroom, signal by signal. Pure. */
import { reserveWithin } from './budget.ts'
import { formatBytes } from '../units.ts'
import type { HeadroomSettings, HeadroomStep, SignalName } from './headroom.ts'
import type { Known, MemoryReading } from './memory-reading.ts'

/** `between` neither raises a signal nor lets it go: this is the hysteresis. */
type Verdict = 'over' | 'between' | 'calm' | 'unknown'

/** One signal in one reading. */
export interface Judgement {
  readonly name: SignalName
  readonly level: 'tight' | 'critical'
  /** The last step of the ladder that it can justify. */
  readonly reach: HeadroomStep
  readonly verdict: Verdict
  /** What is so, with its numbers; means something only when `over`. */
  readonly words: string
}

interface Limits {
  readonly over: number
  readonly calm: number
}

/** The kernel compressor panics the Mac when it has no segment left. */
const SEGMENTS = { tight: { over: 0.6, calm: 0.5 }, critical: { over: 0.8, calm: 0.7 } }
/** The plan keeps a distance to the limit of the GPU; beyond these shares an allocation may fail. */
const GPU_SHARE = { over: 0.98, calm: 0.96 }
/** How much more is critical than is tight. */
const CRITICAL_FACTOR = 4

/** Every signal, always all of them. `expectedBytes` is what a loaded engine should take; null when none is. */
export function judgeSignals(
  reading: MemoryReading,
  expectedBytes: Known<number>,
  settings: HeadroomSettings,
): readonly Judgement[] {
  return [
    ...judgePressure(reading),
    ...judgeAvailable(reading, settings),
    ...judgeSwapping(reading, settings),
    ...judgeStalls(reading, settings),
    ...judgeSegments(reading),
    ...judgeDisk(reading, settings),
    judgeFootprint(reading, expectedBytes, settings),
    judgeGpu(reading),
  ]
}

/** What is kept free for other apps. */
export function reserveOf(reading: MemoryReading, settings: HeadroomSettings): number {
  const { totalBytes } = reading
  return totalBytes === null
    ? settings.reserveBytes
    : reserveWithin(totalBytes, settings.reserveBytes)
}

/** Where less is an acute want, and from where on it no longer is. */
export function acuteLimits(reserveBytes: number): Limits {
  const over = reserveBytes / CRITICAL_FACTOR
  return { over, calm: over * 1.25 }
}

/** A working Mac can be at `warning` for days: that alone is a reason not to grow, and no more. */
function judgePressure({ pressure }: MemoryReading): readonly Judgement[] {
  const words = `the system reports ${pressure} memory pressure`
  const when = (over: boolean): Verdict => (pressure === null ? 'unknown' : over ? 'over' : 'calm')
  return [
    {
      name: 'pressure',
      level: 'tight',
      reach: 'one-at-a-time',
      verdict: when(pressure !== 'normal'),
      words,
    },
    {
      name: 'pressure',
      level: 'critical',
      reach: 'unload',
      verdict: when(pressure === 'critical'),
      words,
    },
  ]
}

/** Where the system itself reports normal pressure, a low number is only a reason not to grow. */
function judgeAvailable(reading: MemoryReading, settings: HeadroomSettings): readonly Judgement[] {
  const { availableBytes, pressure } = reading
  const reserve = reserveOf(reading, settings)
  const contradicted = pressure === 'normal'
  const gone = lowIsBad(availableBytes, acuteLimits(reserve))
  const words = `${size(availableBytes)} available, ${formatBytes(reserve)} reserved`
  return [
    {
      name: 'available',
      level: 'tight',
      reach: contradicted ? 'one-at-a-time' : 'smaller-context',
      verdict: lowIsBad(availableBytes, { over: reserve, calm: reserve * 1.25 }),
      words,
    },
    {
      name: 'available',
      level: 'critical',
      reach: 'unload',
      verdict: contradicted && gone === 'over' ? 'between' : gone,
      words,
    },
  ]
}

function judgeSwapping(
  { swapOutBytesPerSecond: rate }: MemoryReading,
  settings: HeadroomSettings,
): readonly Judgement[] {
  const tight = settings.swapOutBytesPerSecond
  const words = `swap grows by ${size(rate)}/s`
  return [
    {
      name: 'swap',
      level: 'tight',
      reach: 'smaller-context',
      verdict: highIsBad(rate, quarterIsCalm(tight)),
      words,
    },
    {
      name: 'swap',
      level: 'critical',
      reach: 'unload',
      verdict: highIsBad(rate, quarterIsCalm(tight * CRITICAL_FACTOR)),
      words,
    },
  ]
}

function judgeStalls(
  { stalledPercent: stalled }: MemoryReading,
  settings: HeadroomSettings,
): readonly Judgement[] {
  const tight = settings.stalledPercent
  const words = `programs wait for memory ${Math.round(stalled ?? 0)} % of the time`
  return [
    {
      name: 'stalls',
      level: 'tight',
      reach: 'smaller-context',
      verdict: highIsBad(stalled, quarterIsCalm(tight)),
      words,
    },
    {
      name: 'stalls',
      level: 'critical',
      reach: 'unload',
      verdict: highIsBad(stalled, quarterIsCalm(Math.min(90, tight * CRITICAL_FACTOR))),
      words,
    },
  ]
}

function judgeSegments({ compressorSegmentsShare: share }: MemoryReading): readonly Judgement[] {
  const words = `${percent(share)} of the memory compressor's segments are in use`
  return [
    {
      name: 'segments',
      level: 'tight',
      reach: 'smaller-context',
      verdict: highIsBad(share, SEGMENTS.tight),
      words,
    },
    {
      name: 'segments',
      level: 'critical',
      reach: 'unload',
      verdict: highIsBad(share, SEGMENTS.critical),
      words,
    },
  ]
}

/** A disk without room matters to memory only when the machine swaps, or is about to. */
function judgeDisk(reading: MemoryReading, settings: HeadroomSettings): readonly Judgement[] {
  const { freeDiskBytes, totalBytes, pressure, swapOutBytesPerSecond } = reading
  const applies = settings.swapFilesGrow && totalBytes !== null
  const free = applies ? freeDiskBytes : null
  const total = totalBytes ?? 0
  const needsSwap =
    pressure === 'warning' || pressure === 'critical' || (swapOutBytesPerSecond ?? 0) > 0
  const gone = lowIsBad(free, { over: total / 16, calm: total / 8 })
  const words = `${size(free)} of disk free for swap files`
  return [
    {
      name: 'disk',
      level: 'tight',
      reach: 'one-at-a-time',
      verdict: lowIsBad(free, { over: total / 2, calm: total * 0.6 }),
      words: `${words}, ${formatBytes(total / 2)} may be needed`,
    },
    {
      name: 'disk',
      level: 'critical',
      reach: 'unload',
      verdict: gone === 'over' && !needsSwap ? 'between' : gone,
      words: `${words}, and the machine swaps`,
    },
  ]
}

function judgeFootprint(
  { footprintBytes }: MemoryReading,
  expectedBytes: Known<number>,
  { leakMarginBytes }: HeadroomSettings,
): Judgement {
  const excess =
    footprintBytes === null || expectedBytes === null ? null : footprintBytes - expectedBytes
  return {
    name: 'footprint',
    level: 'tight',
    reach: 'recycle',
    verdict: highIsBad(excess, { over: leakMarginBytes, calm: leakMarginBytes / 2 }),
    words: `the engine takes ${size(footprintBytes)}, expected were ${size(expectedBytes)}`,
  }
}

function judgeGpu({ gpuUsedBytes, gpuLimitBytes }: MemoryReading): Judgement {
  const known = gpuUsedBytes !== null && gpuLimitBytes !== null && gpuLimitBytes > 0
  return {
    name: 'gpu',
    level: 'tight',
    reach: 'smaller-context',
    verdict: highIsBad(known ? gpuUsedBytes / gpuLimitBytes : null, GPU_SHARE),
    words: `${size(gpuUsedBytes)} of GPU memory in use, ${size(gpuLimitBytes)} are the limit`,
  }
}

function quarterIsCalm(over: number): Limits {
  return { over, calm: over / 4 }
}

function highIsBad(value: Known<number>, { over, calm }: Limits): Verdict {
  if (value === null) return 'unknown'
  if (value >= over) return 'over'
  return value <= calm ? 'calm' : 'between'
}

function lowIsBad(value: Known<number>, { over, calm }: Limits): Verdict {
  if (value === null) return 'unknown'
  if (value < over) return 'over'
  return value >= calm ? 'calm' : 'between'
}

function size(bytes: Known<number>): string {
  return bytes === null ? '?' : formatBytes(Math.round(bytes))
}

function percent(share: Known<number>): string {
  return `${Math.round((share ?? 0) * 100)} %`
}
