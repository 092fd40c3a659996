import { expect, test } from 'vitest'
import { createPlainView, createTerminalView } from '../../../../src/cli/chat/answer-view.ts'
import { NO_PAINT } from '../../../../src/cli/paint.ts'

type Piece = ['reasoning' | 'content', string]

const pieces: readonly Piece[] = [
  ['reasoning', 'I thi'],
  ['reasoning', 'nk'],
  ['content', 'a **b'],
  ['content', '**\nend'],
]

function written(
  make: (output: { write(text: string): void }) => ReturnType<typeof createPlainView>,
  given = pieces,
) {
  let text = ''
  const view = make({ write: (part) => void (text += part) })
  for (const [kind, words] of given) view.show({ kind, text: words })
  view.end()
  return text
}

test.each([
  [false, 'a **b**\nend\n'],
  [true, 'I think\n\na **b**\nend\n'],
])('a pipe gets the words alone; with reasoning: %s', (showsReasoning, text) => {
  expect(written((output) => createPlainView(output, showsReasoning))).toBe(text)
})

test('an answer that ends its line gets no second one', () => {
  expect(written((output) => createPlainView(output, false), [['content', 'a\n']])).toBe('a\n')
})

function onTerminal(given: readonly Piece[], columns = 80, showsReasoning = true): string {
  return written(
    (output) =>
      createTerminalView(output, {
        paint: NO_PAINT,
        showsReasoning,
        size: () => ({ columns, rows: 10 }),
      }),
    given,
  )
}

test('a terminal gets each line raw, then written over with its Markdown', () => {
  expect(onTerminal(pieces)).toBe('I think\n\na **b**\r\u001B[Ja b\nend\n')
})

test('a line that wraps is written over from where it began', () => {
  expect(onTerminal([['content', `**${'x'.repeat(20)}**\n`]], 10)).toBe(
    `**${'x'.repeat(20)}**\u001B[2A\r\u001B[J${'x'.repeat(20)}\n`,
  )
})

test('a line whose beginning has left the screen stays as it is', () => {
  const line = `**${'x'.repeat(200)}**`
  expect(onTerminal([['content', `${line}\n`]], 10)).toBe(`${line}\n`)
})

test('hidden reasoning leaves no empty line', () => {
  expect(onTerminal(pieces, 80, false)).toBe('a **b**\r\u001B[Ja b\nend\n')
})

test('what a terminal would obey is not passed on', () => {
  expect(onTerminal([['content', '\u001B]0;owned\u0007 \u009B2J ok\tx\r\n']])).toBe(
    '\uFFFD]0;owned\uFFFD \uFFFD2J ok\tx\n',
  )
})
