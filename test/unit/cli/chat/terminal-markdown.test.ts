import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  linesTaken,
  markdownStart,
  renderLine,
} from '../../../../src/cli/chat/terminal-markdown.ts'
import { NO_PAINT, type Paint } from '../../../../src/cli/paint.ts'

const wrapIn =
  (name: string) =>
  (text: string): string =>
    `<${name}>${text}</${name}>`
const tags: Paint = {
  good: wrapIn('good'),
  warn: wrapIn('warn'),
  bad: wrapIn('bad'),
  dim: wrapIn('dim'),
  strong: wrapIn('strong'),
  underline: wrapIn('em'),
  code: wrapIn('code'),
}

function render(...lines: readonly string[]): readonly string[] {
  let state = markdownStart
  return lines.map((line) => {
    const { text, next } = renderLine(line, state, tags, 20)
    state = next
    return text
  })
}

test.each([
  ['plain words', 'plain words'],
  ['', ''],
  [
    'a **bold** and *slanted* `code`',
    'a <strong>bold</strong> and <em>slanted</em> <code>code</code>',
  ],
  ['## A **title** ##', '<strong>A <strong>title</strong></strong>'],
  ['#no title', '#no title'],
  ['- one', '• one'],
  ['  * two `x`', '  • two <code>x</code>'],
  ['1. first', '1. first'],
  ['> quoted *words*', '<dim>│ </dim>quoted <em>words</em>'],
  ['---', `<dim>${'─'.repeat(20)}</dim>`],
  ['see [the site](https://a.example)', 'see the site <dim>(https://a.example)</dim>'],
  ['<https://a.example>', 'https://a.example'],
  ['2 \\* 3', '2 * 3'],
  ['a * b * c and snake_case_name', 'a * b * c and snake_case_name'],
  ['**日本語** 🎉', '<strong>日本語</strong> 🎉'],
  ['a <b>tag</b> & more', 'a <b>tag</b> & more'],
])('%s', (line, shown) => {
  expect(render(line)).toEqual([shown])
})

test('within a fence nothing is Markdown, until the same fence comes again', () => {
  expect(render('```ts', '# **not** a title', '~~~', '```', '# A title')).toEqual([
    '<dim>```ts</dim>',
    '<code># **not** a title</code>',
    '<code>~~~</code>',
    '<dim>```</dim>',
    '<strong>A title</strong>',
  ])
})

test('a longer fence is ended by none that is shorter', () => {
  expect(render('````', '```', '````')).toEqual([
    '<dim>````</dim>',
    '<code>```</code>',
    '<dim>````</dim>',
  ])
})

test('no line is lost, and none throws', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (given) => {
      const line = given.replaceAll(/[\r\n]/g, '')
      const { text } = renderLine(`x${line}`, markdownStart, NO_PAINT, 40)
      expect(text).toMatch(/^x/)
    }),
  )
})

test.each([
  ['', 10, 1],
  ['0123456789', 10, 1],
  ['0123456789a', 10, 2],
  // Each of them takes two columns.
  ['日本語日本', 10, 1],
  ['日本語日本語', 10, 2],
])('%j takes on %d columns %d lines', (text, width, lines) => {
  expect(linesTaken(text, width)).toBe(lines)
})
