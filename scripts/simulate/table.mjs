/** A run as the lines that a person reads. */

/** @type {import('./table.d.mts').renderTable} */
export function renderTable({ title, events }) {
  const rows = events.map(({ atMs, kind, name, message }) => [
    clockOf(atMs),
    kind === 'level' ? `level ${name}` : name,
    kind === 'level' ? message : message.slice(message.indexOf(': ') + 2),
  ])
  const widths = [0, 1].map((column) => Math.max(0, ...rows.map((row) => row[column].length)))
  const lines = rows.map(
    ([at, what, why]) => `  ${at.padStart(widths[0])}  ${what.padEnd(widths[1])}  ${why}`,
  )
  return [title, ...(lines.length === 0 ? ['  nothing happened'] : lines), ''].join('\n')
}

/** @type {import('./table.d.mts').clockOf} */
export function clockOf(atMs) {
  const seconds = Math.round(atMs / 1000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}
