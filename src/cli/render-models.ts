/** The models on this machine as a table. Pure. */
import { formatBytes } from '../units.ts'
import type { ShelvedModel } from './model-shelf.ts'
import { type Column, renderTable } from './table.ts'

export function renderModels(models: readonly ShelvedModel[], width: number): readonly string[] {
  return renderTable(COLUMNS, models, width)
}

const COLUMNS: readonly Column<ShelvedModel>[] = [
  { title: '', cell: ({ inUse }) => (inUse ? '*' : ''), dropOrder: 0 },
  { title: 'NAME', cell: ({ name }) => name, dropOrder: 0, minWidth: 20 },
  { title: 'SIZE', cell: ({ sizeBytes }) => formatBytes(sizeBytes), dropOrder: 0, align: 'right' },
  { title: 'WHAT', cell: whatOf, dropOrder: 0, minWidth: 16 },
  { title: 'FROM', cell: ({ origin }) => hostOf(origin?.source ?? null), dropOrder: 1 },
]

function whatOf({ state }: ShelvedModel): string {
  switch (state.kind) {
    case 'good':
      return state.testModel ? 'built-in test model' : state.architecture
    case 'unfinished':
      return 'unfinished download: oss20bd pull goes on'
    case 'bad':
      return state.reason.replace(/^Cannot use the model .*?: /, '')
  }
}

function hostOf(source: string | null): string {
  return source === null ? '' : new URL(source).host
}
