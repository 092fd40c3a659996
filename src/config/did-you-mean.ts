/** Finds the name that a mistyped one was most likely meant to be. Pure. */

/** The nearest of `names` within a few edits, or null. A bare last part (`port`) finds `proxy.port`. */
export function didYouMean(written: string, names: readonly string[]): string | null {
  const wanted = written.toLowerCase()
  const lastPart = names.filter((name) => name.toLowerCase().endsWith(`.${wanted}`))
  if (lastPart.length === 1 && lastPart[0] !== undefined) return lastPart[0]
  let best: { readonly name: string; readonly edits: number } | null = null
  for (const name of names) {
    const edits = countEdits(wanted, name.toLowerCase())
    if (edits <= name.length / 3 && (best === null || edits < best.edits)) best = { name, edits }
  }
  return best?.name ?? null
}

/** Levenshtein distance: insertions, deletions and replacements from `a` to `b`. */
function countEdits(a: string, b: string): number {
  // A name as long as a novel is no typing mistake, and comparing it would take seconds.
  if (Math.abs(a.length - b.length) > b.length) return Infinity
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
