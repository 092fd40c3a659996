/** Words of a model, made safe for a terminal. Pure. */

/**
 * Without what a terminal obeys: an answer may repeat a hostile text, and an escape sequence can
 * rename the window, clear the screen or fill the clipboard. Line ends and tabs stay.
 */
export function safeText(text: string): string {
  return text.replace(
    // oxlint-disable-next-line no-control-regex -- these are what is looked for
    /[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/g,
    (sign) => (sign === '\r' ? '' : '\uFFFD'),
  )
}
