/** How many columns a text takes: by its length where that is true, and by the tables only where it is not. */

export interface TextWidth {
  readonly widthOf: (text: string) => number
}

/** Latin letters, and the signs that we draw with: each takes one column. */
const ONE_COLUMN = /^[\u0020-\u007E\u00A0-\u02FF\u2010-\u2027\u2500-\u25FF]*$/

const byLength: TextWidth = { widthOf: (text) => text.length }

/** The tables take longer to load than the rest of `oss20bd status` takes to run. */
export async function widthFor(texts: readonly string[]): Promise<TextWidth> {
  if (texts.every((text) => ONE_COLUMN.test(text))) return byLength
  const { widthOf } = await import('../text-width.ts')
  return { widthOf }
}
