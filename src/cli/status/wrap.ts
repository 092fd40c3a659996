/** Breaks a text between its words, so that no line is wider than the terminal. Pure. */
import type { TextWidth } from './width.ts'

/** A number keeps its unit. */
const BREAKS = / (?!(?:[KMGT]i?B|B|%|ms|s|min|h|d|tokens(?:\/s)?)(?:\W|$))/

/** At least one line. A word that is wider than a line (a path) is cut into pieces. `width` may be Infinity. */
export function wrap(text: string, width: number, { widthOf }: TextWidth): readonly string[] {
  if (widthOf(text) <= width) return [text]
  const lines: string[] = []
  let line = ''
  for (const piece of text.split(BREAKS).flatMap((word) => pieces(word, width, widthOf))) {
    const longer = line === '' ? piece : `${line} ${piece}`
    if (widthOf(longer) <= width) line = longer
    else {
      lines.push(line)
      line = piece
    }
  }
  return [...lines, line]
}

function pieces(word: string, width: number, widthOf: (text: string) => number): readonly string[] {
  if (widthOf(word) <= width) return [word]
  const found: string[] = []
  let piece = ''
  for (const { segment } of letters.segment(word)) {
    if (piece !== '' && widthOf(piece + segment) > width) {
      found.push(piece)
      piece = ''
    }
    piece += segment
  }
  return [...found, piece]
}

/** By what a person sees as one letter. */
const letters = new Intl.Segmenter('en', { granularity: 'grapheme' })
