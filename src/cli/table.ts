/** Rows as aligned columns, as many as fit. Pure. */
import { cutToWidth, padToWidth, widthOf } from './text-width.ts'

export interface Column<Row> {
  readonly title: string
  cell(row: Row): string
  readonly align?: 'left' | 'right'
  /** Columns with the highest number go first when there is no room; 0 always stays. */
  readonly dropOrder: number
  /** To so many characters it may be cut, with `…`. */
  readonly minWidth?: number
}

const GAP = 2

/** The titles, then one line per row, none wider than `width`. A column that would say nothing in any row is left out. */
export function renderTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  width: number,
): readonly string[] {
  const filled = columns
    .map((column) => sized(column, rows))
    .filter(({ cells, column }) => column.dropOrder === 0 || cells.some((cell) => cell !== ''))
  const fitting = widen(fit(filled, width), width)
  const titles = line(fitting, (column) => column.title)
  return [
    titles,
    ...rows.map((_row, index) => line(fitting, (_column, cells) => cells[index] ?? '')),
  ]
}

interface Sized<Row> {
  readonly column: Column<Row>
  readonly cells: readonly string[]
  /** What it would like, and what it needs. */
  readonly wanted: number
  readonly needed: number
}

type Placed<Row> = Sized<Row> & { readonly width: number }

function sized<Row>(column: Column<Row>, rows: readonly Row[]): Sized<Row> {
  const cells = rows.map((row) => column.cell(row))
  const wanted = Math.max(...[column.title, ...cells].map((text) => widthOf(text)))
  return { column, cells, wanted, needed: Math.min(wanted, column.minWidth ?? wanted) }
}

/** Drops columns until the rest can be cut to fit. */
function fit<Row>(columns: readonly Sized<Row>[], width: number): readonly Sized<Row>[] {
  let left = columns
  while (sum(left.map(({ needed }) => needed)) > width) {
    const drop = Math.max(...left.map(({ column }) => column.dropOrder))
    if (drop === 0) break
    left = left.filter(({ column }) => column.dropOrder !== drop)
  }
  return left
}

/** Gives the columns what is left, in their order. */
function widen<Row>(columns: readonly Sized<Row>[], width: number): readonly Placed<Row>[] {
  let spare = width - sum(columns.map(({ needed }) => needed))
  return columns.map((column) => {
    const more = Math.max(0, Math.min(spare, column.wanted - column.needed))
    spare -= more
    return { ...column, width: column.needed + more }
  })
}

function sum(widths: readonly number[]): number {
  return widths.reduce((total, width) => total + width + GAP, -GAP)
}

function line<Row>(
  columns: readonly Placed<Row>[],
  textOf: (column: Column<Row>, cells: readonly string[]) => string,
): string {
  return columns
    .map(({ column, cells, width }) => {
      return padToWidth(cutToWidth(textOf(column, cells), width), width, column.align)
    })
    .join(' '.repeat(GAP))
    .trimEnd()
}
