import type { MemoryReading } from '../../src/memory/memory-reading.ts'
import type { Recording } from './run-trace.d.mts'

/** A reading of which nothing is known. */
export const UNKNOWN: MemoryReading

export function parseRecording(text: string): Recording['rows']
