/** A bar of memory against what it may take. Pure. */

export interface Glyphs {
  readonly used: string
  readonly planned: string
  readonly free: string
  /** From nothing to full, for plots. */
  readonly levels: string
}

export const BLOCKS: Glyphs = { used: '█', planned: '▒', free: '░', levels: ' ▁▂▃▄▅▆▇█' }
export const LETTERS: Glyphs = { used: '#', planned: '=', free: '.', levels: ' .:-=+*%#' }

/** Blocks where the terminal can show them, as its locale tells. */
export function glyphsFor(env: Readonly<Record<string, string | undefined>>): Glyphs {
  const named = ['LC_ALL', 'LC_CTYPE', 'LANG'].map((name) => env[name] ?? '')
  const locale = named.find((value) => value !== '') ?? ''
  return locale === '' || /utf-?8/i.test(locale) ? BLOCKS : LETTERS
}

export interface MemoryShares {
  readonly usedBytes: number
  /** What it is expected to grow to; null when unknown. */
  readonly plannedBytes: number | null
  readonly budgetBytes: number
}

export interface Bar {
  readonly used: string
  readonly planned: string
  readonly free: string
}

/** Together `width` columns. What is used is seen even when it is next to nothing; more than all is a full bar. */
export function memoryBar(shares: MemoryShares, width: number, glyphs: Glyphs): Bar {
  const { usedBytes, plannedBytes, budgetBytes } = shares
  const cells = (bytes: number): number =>
    budgetBytes <= 0 ? width : Math.min(width, Math.round((bytes / budgetBytes) * width))
  const used = Math.max(usedBytes > 0 ? 1 : 0, cells(usedBytes))
  const planned = Math.max(0, cells(plannedBytes ?? 0) - used)
  return {
    used: glyphs.used.repeat(used),
    planned: glyphs.planned.repeat(planned),
    free: glyphs.free.repeat(width - used - planned),
  }
}
