/** One look at the memory of the machine, of its GPU and of the engine. Types only. */

/** `null` = not known; `MemoryReading.unknown` says why. Never 0 for want of a value. */
export type Known<Value> = Value | null

/** Bytes, unless the name says otherwise. Rates are over the time since the reading before. */
export interface MemoryValues {
  /** Of the machine, or of the cgroup that limits this process, whichever is less. */
  readonly totalBytes: Known<number>
  /** What could be used without swapping. */
  readonly availableBytes: Known<number>
  /** What macOS itself calls free, 0 to 100; it counts pages in use, so 37 can be normal with nothing free. */
  readonly freePercent: Known<number>
  /** The kernel's own verdict: `kern.memorystatus_vm_pressure_level` on macOS; none on Linux. */
  readonly pressure: Known<'normal' | 'warning' | 'critical'>
  /** The share of the last 10 s in which some task waited for memory (PSI, Linux), 0 to 100. */
  readonly stalledPercent: Known<number>
  readonly swapUsedBytes: Known<number>
  readonly swapOutBytesPerSecond: Known<number>
  readonly swapInBytesPerSecond: Known<number>
  /** What the compressor occupies (macOS). */
  readonly compressorBytes: Known<number>
  /** What went into the compressor, and what was wanted back from it (macOS). */
  readonly compressedBytesPerSecond: Known<number>
  readonly decompressedBytesPerSecond: Known<number>
  /** Of the compressor's segments, the share in use, 0 to 1; at 1 macOS panics. */
  readonly compressorSegmentsShare: Known<number>
  /** On the disk that holds the swap file. */
  readonly freeDiskBytes: Known<number>
  /** What the engine takes: phys_footprint on macOS, Pss and SwapPss on Linux; null also when none runs. */
  readonly footprintBytes: Known<number>
  readonly gpuUsedBytes: Known<number>
  /** What the GPU may hold in all. */
  readonly gpuLimitBytes: Known<number>
  /** 0 to 1. */
  readonly gpuUtilisation: Known<number>
}

export interface MemoryReading extends MemoryValues {
  /** Monotonic. */
  readonly atMs: number
  /** For each value that is null: the reason, for a person. */
  readonly unknown: Readonly<Partial<Record<keyof MemoryValues, string>>>
}
