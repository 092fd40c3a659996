/** `/proc/meminfo` and `/proc/vmstat`. Pure. */
import { wholeNumber } from '../lines.ts'

export interface MemInfo {
  readonly totalBytes: number | null
  /** What the kernel thinks a program can get without swapping; older than 3.14 does not tell it. */
  readonly availableBytes: number | null
  readonly swapUsedBytes: number | null
}

export function parseMemInfo(text: string): MemInfo {
  const swapTotal = kibLine(text, 'SwapTotal')
  const swapFree = kibLine(text, 'SwapFree')
  return {
    totalBytes: kibLine(text, 'MemTotal') || null,
    availableBytes: kibLine(text, 'MemAvailable'),
    swapUsedBytes:
      swapTotal === null || swapFree === null ? null : Math.max(0, swapTotal - swapFree),
  }
}

/** `Name:   123 kB` in bytes, as in `meminfo`, `status` and `smaps_rollup`; they mean KiB. */
export function kibLine(text: string, name: string): number | null {
  const kib = wholeNumber(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1])
  return kib === null || !Number.isSafeInteger(kib * 1024) ? null : kib * 1024
}

/** In pages, since the boot. */
export interface SwapCounters {
  readonly pagesIn: number | null
  readonly pagesOut: number | null
}

export function parseSwapCounters(vmstat: string): SwapCounters {
  // The line feed belongs to it: half a number looks like a whole one.
  return {
    pagesIn: wholeNumber(/^pswpin (\d+)\n/m.exec(vmstat)?.[1]),
    pagesOut: wholeNumber(/^pswpout (\d+)\n/m.exec(vmstat)?.[1]),
  }
}
