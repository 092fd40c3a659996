import type { Run } from './run-trace.d.mts'

export function renderTable(run: Run): string
/** `12:04`, minutes and seconds. */
export function clockOf(atMs: number): string
