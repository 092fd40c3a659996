/** What `nvidia-smi` prints of the GPUs. Pure. */
import { percent, wholeLines, wholeNumber } from '../lines.ts'

export const nvidiaSmiArgs = [
  '--query-gpu=memory.used,memory.total,utilization.gpu',
  '--format=csv,noheader,nounits',
] as const

export interface NvidiaGpus {
  /** Of all GPUs together; null when one of them does not tell it, as those that share the machine's memory. */
  readonly usedBytes: number | null
  readonly totalBytes: number | null
  /** Of the busiest, 0 to 100. */
  readonly busiestPercent: number | null
}

const mib = 2 ** 20

/** Lines like `1024, 24564, 37`, one for each GPU, with `[N/A]` where it is not told; null for anything else. */
export function parseNvidiaSmi(text: string): NvidiaGpus | null {
  const rows = wholeLines(text).map((line) => line.split(',').map((cell) => cell.trim()))
  if (rows.length === 0 || rows.some((row) => row.length !== 3)) return null
  const used = allKnown(rows.map(([cell]) => wholeNumber(cell)))
  const total = allKnown(rows.map(([, cell]) => wholeNumber(cell)))
  const busy = allKnown(rows.map(([, , cell]) => percent(cell)))
  return {
    usedBytes: used === null ? null : sum(used) * mib,
    totalBytes: total === null ? null : sum(total) * mib,
    busiestPercent: busy === null ? null : Math.max(...busy),
  }
}

function allKnown(values: readonly (number | null)[]): number[] | null {
  const found = values.filter((value) => value !== null)
  return found.length === values.length ? found : null
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
