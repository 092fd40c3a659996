/** Markdown as a terminal shows it, one line at a time, so that it can be shown while it comes. Pure. */
import { Marked, type Token } from 'marked'
import stringWidth from 'string-width'
import type { Paint } from '../paint.ts'

/** Where in the text the next line stands. */
export interface MarkdownState {
  /** The fence that ends the present block of code; null = in no such block. */
  readonly fence: string | null
}

export const markdownStart: MarkdownState = { fence: null }

const marked = new Marked()

/** One whole line (without its end), and where the next one stands. Nothing but colours and signs changes: copied, it is text. */
export function renderLine(
  line: string,
  { fence }: MarkdownState,
  paint: Paint,
  width: number,
): { readonly text: string; readonly next: MarkdownState } {
  const opened = /^\s{0,3}(`{3,}|~{3,})/.exec(line)?.[1]
  if (fence !== null) {
    const ends = opened?.startsWith(fence) === true && line.trim() === opened
    return { text: ends ? paint.dim(line) : paint.code(line), next: { fence: ends ? null : fence } }
  }
  if (opened !== undefined) return { text: paint.dim(line), next: { fence: opened } }
  return { text: renderProse(line, paint, width), next: { fence: null } }
}

function renderProse(line: string, paint: Paint, width: number): string {
  const heading = /^(#{1,6})\s+(.*?)\s*#*$/.exec(line)
  if (heading !== null) return paint.strong(renderInline(heading[2] ?? '', paint))
  if (/^\s{0,3}([-*_])(\s*\1){2,}\s*$/.test(line)) return paint.dim('─'.repeat(Math.min(width, 40)))
  const quote = /^(\s*(?:>\s?)+)(.*)$/.exec(line)
  if (quote !== null) {
    const bars = (quote[1] ?? '').replaceAll('>', '│')
    return paint.dim(bars) + renderInline(quote[2] ?? '', paint)
  }
  const item = /^(\s*)[-*+]\s+(.*)$/.exec(line)
  if (item !== null) return `${item[1] ?? ''}• ${renderInline(item[2] ?? '', paint)}`
  const indent = /^\s*/.exec(line)?.[0] ?? ''
  return indent + renderInline(line.slice(indent.length), paint)
}

function renderInline(text: string, paint: Paint): string {
  return marked.Lexer.lexInline(text)
    .map((token) => renderToken(token, paint))
    .join('')
}

function renderToken(token: Token, paint: Paint): string {
  const inner = (): string =>
    'tokens' in token && token.tokens !== undefined
      ? token.tokens.map((part) => renderToken(part, paint)).join('')
      : token.raw
  switch (token.type) {
    case 'strong':
      return paint.strong(inner())
    case 'em':
      return paint.underline(inner())
    case 'codespan':
      return paint.code('text' in token ? String(token.text) : token.raw)
    case 'link': {
      const target = 'href' in token ? String(token.href) : ''
      const label = inner()
      return target === label || target === `mailto:${label}`
        ? label
        : `${label} ${paint.dim(`(${target})`)}`
    }
    case 'escape':
      return 'text' in token ? String(token.text) : token.raw
    default:
      // What Markdown has no look for here (HTML, images, plain words) stays as it came.
      return token.raw
  }
}

/** How many lines of a terminal so wide a text without a line end takes; 1 or more. */
export function linesTaken(text: string, width: number): number {
  return Math.max(1, Math.ceil(stringWidth(text) / Math.max(1, width)))
}
