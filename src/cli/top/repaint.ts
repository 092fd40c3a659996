/** What to write to a terminal to turn one screen of lines into another. Pure. */

/** Terminals that know it show all of it at once; the others ignore it. */
const BEGIN = '\u001B[?2026h'
const END = '\u001B[?2026l'

/** Nothing when nothing changed. `before` = none: the screen is empty. */
export function repaint(before: readonly string[], after: readonly string[]): string {
  const rows = Math.max(before.length, after.length)
  let text = ''
  for (let row = 0; row < rows; row += 1) {
    const line = after[row] ?? ''
    if (line === (before[row] ?? '')) continue
    text += `\u001B[${row + 1};1H\u001B[2K${line}`
  }
  return text === '' ? '' : `${BEGIN}${text}${END}`
}
