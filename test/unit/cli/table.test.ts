import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Column, renderTable } from '../../../src/cli/table.ts'

interface Row {
  readonly id: string
  readonly name: string
  readonly size: string
}

const columns: readonly Column<Row>[] = [
  { title: 'ID', cell: (row) => row.id, dropOrder: 0 },
  { title: 'NAME', cell: (row) => row.name, dropOrder: 1, minWidth: 6 },
  { title: 'SIZE', cell: (row) => row.size, align: 'right', dropOrder: 2 },
]
const rows: readonly Row[] = [
  { id: 'a', name: 'short', size: '1' },
  { id: 'b', name: 'a longer name', size: '1000' },
]

test('everything is shown where there is room', () => {
  expect(renderTable(columns, rows, Infinity)).toEqual([
    'ID  NAME           SIZE',
    'a   short             1',
    'b   a longer name  1000',
  ])
})

test('first a text is cut, then columns go', () => {
  expect(renderTable(columns, rows, 18)).toEqual([
    'ID  NAME      SIZE',
    'a   short        1',
    'b   a longe…  1000',
  ])
  expect(renderTable(columns, rows, 14)).toEqual(['ID  NAME', 'a   short', 'b   a longer …'])
  expect(renderTable(columns, rows, 5)).toEqual(['ID', 'a', 'b'])
})

test('a column that says nothing is left out', () => {
  const quiet = rows.map((row) => ({ ...row, size: '' }))
  expect(renderTable(columns, quiet, Infinity)[0]).toBe('ID  NAME')
})

test('no line is wider than the terminal, whatever the cells, while the narrowest table fits', () => {
  const row = fc.record({
    id: fc.string({ maxLength: 4 }),
    name: fc.string({ maxLength: 60 }),
    size: fc.string({ maxLength: 12 }),
  })
  fc.assert(
    fc.property(
      fc.array(row, { maxLength: 5 }),
      fc.integer({ min: 4, max: 100 }),
      (some, width) => {
        const lines = renderTable(columns, some, width)
        expect(lines).toHaveLength(some.length + 1)
        expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width)
      },
    ),
  )
})
