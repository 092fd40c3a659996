/** Shows an answer while it comes: as Markdown on a terminal, as it is elsewhere. */
import type { Output } from '../command.ts'
import type { Paint } from '../paint.ts'
import type { AnswerPiece } from './answer-stream.ts'
import { safeText } from './safe-text.ts'
import { linesTaken, markdownStart, renderLine } from './terminal-markdown.ts'

export interface AnswerView {
  show(piece: Extract<AnswerPiece, { kind: 'reasoning' | 'content' }>): void
  /** Ends the last line; call it also when the answer was cut. */
  end(): void
}

/** For a pipe or a file: the words of the answer and nothing else. The reasoning only when asked for. */
export function createPlainView(output: Output, showsReasoning: boolean): AnswerView {
  let last: 'reasoning' | 'content' | null = null
  let endsLine = true
  return {
    show: ({ kind, text }) => {
      if (kind === 'reasoning' && !showsReasoning) return
      if (last !== null && kind !== last) output.write(endsLine ? '\n' : '\n\n')
      output.write(text)
      endsLine = text.endsWith('\n')
      last = kind
    },
    end: () => {
      if (!endsLine) output.write('\n')
    },
  }
}

export interface TerminalOptions {
  readonly paint: Paint
  readonly showsReasoning: boolean
  /** Asked anew for each line: a window can change. */
  readonly size: () => { readonly columns: number; readonly rows: number }
}

/**
 * For a terminal. A line is shown raw while it grows, and once it is whole it is written over with its
 * Markdown rendered: so the words appear at the speed of the model.
 */
export function createTerminalView(output: Output, options: TerminalOptions): AnswerView {
  return new TerminalView(output, options)
}

class TerminalView implements AnswerView {
  readonly #output: Output
  readonly #options: TerminalOptions
  #kind: 'reasoning' | 'content' | null = null
  /** The line that grows. */
  #line = ''
  #state = markdownStart

  constructor(output: Output, options: TerminalOptions) {
    this.#output = output
    this.#options = options
  }

  show({ kind, text }: Parameters<AnswerView['show']>[0]): void {
    if (kind === 'reasoning' && !this.#options.showsReasoning) return
    if (this.#kind !== null && kind !== this.#kind) {
      this.end()
      this.#output.write('\n')
    }
    this.#kind = kind
    const [first = '', ...rest] = safeText(text).split('\n')
    this.#grow(first)
    for (const part of rest) {
      this.#endLine()
      this.#grow(part)
    }
  }

  end(): void {
    if (this.#line !== '') this.#endLine()
  }

  #grow(text: string): void {
    if (text === '') return
    this.#output.write(this.#kind === 'reasoning' ? this.#options.paint.dim(text) : text)
    this.#line += text
  }

  #endLine(): void {
    if (this.#kind === 'content') this.#render()
    this.#output.write('\n')
    this.#line = ''
  }

  #render(): void {
    const { paint, size } = this.#options
    const { columns, rows } = size()
    const { text, next } = renderLine(this.#line, this.#state, paint, columns)
    this.#state = next
    const up = linesTaken(this.#line, columns) - 1
    // A plain line is right already, and one whose beginning has left the screen cannot be written over.
    if (text === this.#line || up >= rows) return
    this.#output.write(`${up === 0 ? '' : `\u001B[${up}A`}\r\u001B[J${text}`)
  }
}
