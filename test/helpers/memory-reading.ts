/** Readings of memory for tests: nothing is known but what a test says. */
import type { MemoryReading } from '../../src/memory/memory-reading.ts'

export const GIB = 2 ** 30
export const MIB = 2 ** 20

export function reading(known: Partial<MemoryReading> = {}): MemoryReading {
  return {
    atMs: 0,
    unknown: {},
    totalBytes: null,
    availableBytes: null,
    freePercent: null,
    pressure: null,
    stalledPercent: null,
    swapUsedBytes: null,
    swapOutBytesPerSecond: null,
    swapInBytesPerSecond: null,
    compressorBytes: null,
    compressedBytesPerSecond: null,
    decompressedBytesPerSecond: null,
    compressorSegmentsShare: null,
    freeDiskBytes: null,
    footprintBytes: null,
    gpuUsedBytes: null,
    gpuLimitBytes: null,
    gpuUtilisation: null,
    ...known,
  }
}
