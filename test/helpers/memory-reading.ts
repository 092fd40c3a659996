/** Readings of memory for tests: nothing is known but what a test says. */
import { UNKNOWN } from '../../scripts/simulate/machine.mjs'
import type { MemoryReading } from '../../src/memory/memory-reading.ts'

export const GIB = 2 ** 30
export const MIB = 2 ** 20

export function reading(known: Partial<MemoryReading> = {}): MemoryReading {
  return { ...UNKNOWN, ...known }
}
