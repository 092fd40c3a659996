import type { Recording } from './run-trace.d.mts'

export function parseRecording(text: string): Recording['rows']
