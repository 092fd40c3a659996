/** Text by the columns it takes on a terminal: Japanese letters and emoji take two. Pure. */
import stringWidth from 'string-width'

/** Columns, without colours. */
export function widthOf(text: string): number {
  return stringWidth(text)
}

/** At most `width` columns, with `…` where it was cut; never half a letter. */
export function cutToWidth(text: string, width: number): string {
  if (widthOf(text) <= width) return text
  let cut = ''
  let taken = 0
  for (const { segment } of segmenter.segment(text)) {
    const next = taken + widthOf(segment)
    if (next > width - 1) break
    cut += segment
    taken = next
  }
  return width < 1 ? '' : `${cut}…`
}

/** Spaces up to `width` columns, behind or before. */
export function padToWidth(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const spaces = ' '.repeat(Math.max(0, width - widthOf(text)))
  return align === 'right' ? spaces + text : text + spaces
}

/** By what a person sees as one letter: an emoji of several code points is one. */
const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })
