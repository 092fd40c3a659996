/** The engines on this machine as a table. Pure. */
import { type Column, renderTable } from '../table.ts'
import type { ShelvedEngine } from './shelf.ts'

export function renderEngines(engines: readonly ShelvedEngine[], width: number): readonly string[] {
  return renderTable(COLUMNS, engines, width)
}

const COLUMNS: readonly Column<ShelvedEngine>[] = [
  { title: '', cell: markOf, dropOrder: 0 },
  { title: 'NAME', cell: ({ name }) => name, dropOrder: 0, minWidth: 16 },
  { title: 'VERSION', cell: ({ version }) => version ?? 'does not start', dropOrder: 0 },
  { title: 'BUILT', cell: ({ builtAt }) => builtAt?.slice(0, 10) ?? '', dropOrder: 2 },
  { title: 'FROM', cell: ({ source }) => source ?? '', dropOrder: 1, minWidth: 16 },
]

function markOf({ inUse, before }: ShelvedEngine): string {
  if (inUse) return '*'
  return before ? '<' : ''
}
