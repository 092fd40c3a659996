/** What `memory_pressure -Q` prints. Pure. */
import { percent, wholeLines, wholeNumber } from '../lines.ts'

/** It only prints with this; with `-l`, `-p` or `-S` it would take memory or feign a shortage. */
export const memoryPressureArgs = ['-Q'] as const

export interface MemoryPressure {
  readonly totalBytes: number | null
  readonly pageBytes: number | null
  /** 0 to 100. */
  readonly freePercent: number | null
}

export function parseMemoryPressure(text: string): MemoryPressure {
  const lines = wholeLines(text).join('\n')
  const head = /^The system has (\d+) \(\d+ pages with a page size of (\d+)\)\.$/m.exec(lines)
  return {
    totalBytes: wholeNumber(head?.[1]) || null,
    pageBytes: wholeNumber(head?.[2]) || null,
    freePercent: percent(/^System-wide memory free percentage: (\d+)%\s*$/m.exec(lines)?.[1]),
  }
}
