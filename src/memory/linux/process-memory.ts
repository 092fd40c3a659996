/** What one process takes, by `/proc/PID/status` and `/proc/PID/smaps_rollup`. Pure. */
import { kibLine } from './meminfo.ts'

/** Resident and swapped pages from counters: cheap, but pages that processes share count in full for each. */
export function parseResident(status: string): number | null {
  return sum(kibLine(status, 'VmRSS'), kibLine(status, 'VmSwap'))
}

/** Pss and SwapPss: its fair share of shared pages. The kernel walks all page tables for it. */
export function parseShare(rollup: string): number | null {
  return sum(kibLine(rollup, 'Pss'), kibLine(rollup, 'SwapPss'))
}

function sum(inMemory: number | null, swapped: number | null): number | null {
  return inMemory === null || swapped === null ? null : inMemory + swapped
}
