/** What one look found: a value, or why there is none. Pure. */
import type { MemoryReading, MemoryValues } from './memory-reading.ts'

export type Answer<Value> =
  | { readonly kind: 'known'; readonly value: Value }
  /** The reason, for a person. */
  | { readonly kind: 'unknown'; readonly reason: string }

/** Each value of a reading, or why it is not known. */
export type MemoryAnswers = {
  readonly [Name in keyof MemoryValues]: Answer<NonNullable<MemoryValues[Name]>>
}

export function known<Value>(value: Value): Answer<Value> {
  return { kind: 'known', value }
}

export function unknown(reason: string): Answer<never> {
  return { kind: 'unknown', reason }
}

/** `value`, or `reason` for want of it. */
export function knownOr<Value>(value: Value | null | undefined, reason: string): Answer<Value> {
  return value === null || value === undefined ? unknown(reason) : known(value)
}

/** What `next` makes of the value. */
export function andThen<Value, Next>(
  answer: Answer<Value>,
  next: (value: Value) => Answer<Next>,
): Answer<Next> {
  return answer.kind === 'known' ? next(answer.value) : answer
}

/** The first that is known; with none of them, the reason of the first. */
export function firstKnown<Value>(first: Answer<Value>, second: Answer<Value>): Answer<Value> {
  return first.kind === 'known' || second.kind === 'unknown' ? first : second
}

/** A value that no machine can have becomes an unknown one, whatever tool it came from. */
export function toReading(atMs: number, answers: MemoryAnswers): MemoryReading {
  const unknownBecause: Partial<Record<keyof MemoryValues, string>> = {}
  const take = <Value extends number | string>(
    name: keyof MemoryValues,
    answer: Answer<Value>,
  ): Value | null => {
    if (answer.kind === 'known' && isPossible(name, answer.value)) return answer.value
    unknownBecause[name] =
      answer.kind === 'known' ? `${answer.value} makes no sense` : answer.reason
    return null
  }
  return {
    atMs,
    totalBytes: take('totalBytes', answers.totalBytes),
    availableBytes: take('availableBytes', answers.availableBytes),
    freePercent: take('freePercent', answers.freePercent),
    pressure: take('pressure', answers.pressure),
    stalledPercent: take('stalledPercent', answers.stalledPercent),
    swapUsedBytes: take('swapUsedBytes', answers.swapUsedBytes),
    swapOutBytesPerSecond: take('swapOutBytesPerSecond', answers.swapOutBytesPerSecond),
    swapInBytesPerSecond: take('swapInBytesPerSecond', answers.swapInBytesPerSecond),
    compressorBytes: take('compressorBytes', answers.compressorBytes),
    compressedBytesPerSecond: take('compressedBytesPerSecond', answers.compressedBytesPerSecond),
    decompressedBytesPerSecond: take(
      'decompressedBytesPerSecond',
      answers.decompressedBytesPerSecond,
    ),
    compressorSegmentsShare: take('compressorSegmentsShare', answers.compressorSegmentsShare),
    freeDiskBytes: take('freeDiskBytes', answers.freeDiskBytes),
    footprintBytes: take('footprintBytes', answers.footprintBytes),
    gpuUsedBytes: take('gpuUsedBytes', answers.gpuUsedBytes),
    gpuLimitBytes: take('gpuLimitBytes', answers.gpuLimitBytes),
    gpuUtilisation: take('gpuUtilisation', answers.gpuUtilisation),
    unknown: unknownBecause,
  }
}

function isPossible(name: keyof MemoryValues, value: number | string): boolean {
  if (typeof value === 'string') return true
  const most = name.endsWith('Percent')
    ? 100
    : name === 'gpuUtilisation'
      ? 1
      : Number.MAX_SAFE_INTEGER
  return value >= 0 && value <= most
}
