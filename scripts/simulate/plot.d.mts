import type { Run } from './run-trace.d.mts'

/** A whole SVG document, readable on light and on dark. */
export function renderPlot(run: Run): string
