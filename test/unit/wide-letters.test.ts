/** Tables and progress lines with Japanese letters and emoji: aligned, never wider than the terminal, no half letter. */
import fc from 'fast-check'
import stringWidth from 'string-width'
import { expect, test } from 'vitest'
import { columnsOf, cutToColumns } from '../../scripts/columns.mjs'
import { createProgress } from '../../scripts/progress.mjs'
import { renderModels } from '../../src/cli/render-models.ts'
import { type Column, renderTable } from '../../src/cli/table.ts'

const letters = fc.constantFrom(
  'a',
  ' ',
  '日',
  '本',
  'ア',
  'ｱ',
  'が',
  '、',
  '한',
  '🎉',
  '👩‍💻',
  '🇯🇵',
  '❤️',
  'é',
  '…',
  '█',
  '𠮷',
)
const text = fc.array(letters, { maxLength: 40 }).map((all) => all.join(''))
const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })

function graphemes(of: string): readonly string[] {
  return [...segmenter.segment(of)].map(({ segment }) => segment)
}

test('what scripts count without a library is what string-width counts', () => {
  fc.assert(
    fc.property(text, (some) => {
      expect(columnsOf(some)).toBe(stringWidth(some))
    }),
  )
})

test('a cut text fits, and is a beginning of the text in whole letters', () => {
  fc.assert(
    fc.property(text, fc.integer({ min: 0, max: 60 }), (some, limit) => {
      const cut = cutToColumns(some, limit)
      expect(stringWidth(cut)).toBeLessThanOrEqual(limit)
      expect(graphemes(some).slice(0, graphemes(cut).length)).toEqual(graphemes(cut))
    }),
  )
})

interface Row {
  readonly name: string
  readonly size: string
}

const columns: readonly Column<Row>[] = [
  { title: 'NAME', cell: ({ name }) => name, dropOrder: 0, minWidth: 6 },
  { title: 'SIZE', cell: ({ size }) => size, align: 'right', dropOrder: 0 },
]

test('a right-hand column of a table ends at one column in all rows', () => {
  fc.assert(
    fc.property(
      fc.array(text, { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 12, max: 100 }),
      (names, width) => {
        const rows = names.map((name) => ({ name, size: '1' }))
        const widths = renderTable(columns, rows, width).map((line) => stringWidth(line))
        expect(new Set(widths).size).toBe(1)
        expect(widths[0]).toBeLessThanOrEqual(width)
      },
    ),
  )
})

test('a model with a Japanese name keeps the columns of the others in their place', () => {
  const model = (name: string, inUse: boolean) => ({
    name,
    file: `/home/山田/${name}`,
    sizeBytes: 12_109_566_624,
    inUse,
    state: { kind: 'good', architecture: 'gpt-oss', testModel: false } as const,
    origin: null,
  })
  const lines = renderModels([model('要約モデル🎉.gguf', true), model('plain.gguf', false)], 80)
  const before = lines.map((line) => stringWidth(line.slice(0, line.search(/SIZE|11\.3/))))
  expect(lines[1]).toContain('要約モデル🎉.gguf')
  expect(before[1]).toBe(before[2])
})

/** The lines that a progress of this title and note draws, without the codes of the terminal. */
function drawn(title: string, note: string, width: number, fraction: number | null) {
  const written: string[] = []
  const stream = { isTTY: true, columns: width, write: (piece: string) => written.push(piece) }
  const env = { TERM: 'xterm', LANG: 'ja_JP.UTF-8' }
  const progress = createProgress({ title, stream, env, now: () => 0 })
  progress.update(fraction, note)
  progress.done(note)
  // oxlint-disable-next-line no-control-regex -- the codes are what is taken out
  return written.map((piece) => piece.replaceAll(/\r|\n|\u001B\[\d*[mK]/g, ''))
}

test('a line of progress never wraps, whatever the title and the note', () => {
  fc.assert(
    fc.property(
      text,
      text,
      fc.integer({ min: 12, max: 100 }),
      fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
      (title, note, width, fraction) => {
        const widths = drawn(title, note, width, fraction).map((line) => stringWidth(line))
        expect(Math.max(...widths)).toBeLessThan(width)
      },
    ),
  )
})

test('a terminal that does not know its width is taken for one of 80 columns', () => {
  expect(drawn('Checking', 'checking 日本語.gguf', 0, 0.5)).toContain(
    'Checking  ███████░░░░░░░   50 %  0:00  checking 日本語.gguf',
  )
})
