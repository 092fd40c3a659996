/** What the engine may take of the memory of a machine, and whether a need fits into it. Pure. */

/** Bytes. */
export interface Budget {
  readonly memory: MemoryBudget
  /** Null = everything is computed on the host. */
  readonly gpu: GpuBudget | null
}

interface MemoryBudget {
  /** What the engine and all other apps share. */
  readonly totalBytes: number
  readonly source: 'physical' | 'config' | 'asked'
  /** Kept free for other apps. */
  readonly reserveBytes: number
  readonly usableBytes: number
}

interface GpuBudget {
  /** What the system lets the GPU hold; null = not known, so that nothing is held against it. */
  readonly limitBytes: number | null
  readonly source: 'engine' | 'asked'
  readonly reserveBytes: number
  readonly usableBytes: number | null
  /** It has no memory of its own: what it holds is taken from that of the machine. */
  readonly sharesMemory: boolean
}

export interface Machine {
  readonly memory: Pick<MemoryBudget, 'totalBytes' | 'source'>
  readonly reserveBytes: number
  readonly gpu: Pick<GpuBudget, 'limitBytes' | 'source' | 'sharesMemory'> | null
}

/** The windows on the screen live in the same memory of the GPU, and at its limit the engine fails. */
const GPU_RESERVE_BYTES = 2 ** 30

/** Below it the usual reserve would be more than a quarter. */
const SMALL_MACHINE_BYTES = 16 * 2 ** 30

/** The reserve, but of a small machine or cgroup no more than a quarter: nothing else would be left. */
export function reserveWithin(totalBytes: number, reserveBytes: number): number {
  return totalBytes >= SMALL_MACHINE_BYTES
    ? reserveBytes
    : Math.min(reserveBytes, Math.floor(totalBytes / 4))
}

export function budgetOf({ memory, reserveBytes: asked, gpu }: Machine): Budget {
  const reserveBytes = reserveWithin(memory.totalBytes, asked)
  const usableBytes = Math.max(0, memory.totalBytes - reserveBytes)
  return { memory: { ...memory, reserveBytes, usableBytes }, gpu: gpu && gpuBudget(gpu) }
}

function gpuBudget(gpu: NonNullable<Machine['gpu']>): GpuBudget {
  const { limitBytes } = gpu
  const usableBytes = limitBytes === null ? null : Math.max(0, limitBytes - GPU_RESERVE_BYTES)
  return { ...gpu, reserveBytes: GPU_RESERVE_BYTES, usableBytes }
}

export interface NeedOfMemory {
  readonly gpuBytes: number
  readonly hostBytes: number
  /** Of both parts; what they share is counted once. */
  readonly totalBytes: number
}

export type Fit =
  | { readonly kind: 'fits'; readonly spareBytes: number; readonly gpuSpareBytes: number | null }
  /** 0 for the one of the two that would do. */
  | { readonly kind: 'short'; readonly memoryShortBytes: number; readonly gpuShortBytes: number }

export function judgeFit(need: NeedOfMemory, { memory, gpu }: Budget): Fit {
  const ofMemory = gpu === null || gpu.sharesMemory ? need.totalBytes : need.hostBytes
  const spareBytes = memory.usableBytes - ofMemory
  const limit = gpu?.usableBytes ?? null
  const gpuSpareBytes = limit === null ? null : limit - need.gpuBytes
  if (spareBytes >= 0 && (gpuSpareBytes ?? 0) >= 0)
    return { kind: 'fits', spareBytes, gpuSpareBytes }
  return {
    kind: 'short',
    memoryShortBytes: Math.max(0, -spareBytes),
    gpuShortBytes: Math.max(0, -(gpuSpareBytes ?? 0)),
  }
}
