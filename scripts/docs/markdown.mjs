/** The pieces of Markdown that the generated pages are made of. Pure. */

/** The first words of a page that nobody should edit. */
export const GENERATED =
  '<!-- Made by `npm run docs` from the source. Change it there: the tests compare. -->'

/** As code, whatever is in it. */
export function code(text) {
  return text.includes('`') ? `\`\` ${text} \`\`` : `\`${text}\``
}

/** The lines of a table. A bar within a cell would end it. */
export function table(titles, rows) {
  const line = (cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(titles), `|${titles.map(() => '---|').join('')}`, ...rows.map(line)]
}
