/** How many columns a text takes on a terminal, for what must work before any library is there. Pure. */

/** East Asian wide and full-width letters, and what is drawn as an emoji. */
const WIDE =
  /[\u1100-\u115F\u2E80-\u303E\u3041-\uA4CF\uA960-\uA97C\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF01-\uFF60\uFFE0-\uFFE6\u{16FE0}-\u{18D08}\u{1B000}-\u{1B2FB}\u{1F1E6}-\u{1F1FF}\u{20000}-\u{3FFFD}]|\p{Emoji_Presentation}|\uFE0F/u

/** By what a person sees as one letter: an emoji of several code points is one. */
const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })

/** Columns; text without colours. */
export function columnsOf(text) {
  let columns = 0
  for (const { segment } of segmenter.segment(text)) columns += WIDE.test(segment) ? 2 : 1
  return columns
}

/** The beginning of a text, at most so many columns, never half a letter. */
export function cutToColumns(text, limit) {
  let columns = 0
  for (const { segment, index } of segmenter.segment(text)) {
    columns += WIDE.test(segment) ? 2 : 1
    if (columns > limit) return text.slice(0, index)
  }
  return text
}
