import type { Trace } from './run-trace.d.mts'

export const TRACES: readonly Trace[]
