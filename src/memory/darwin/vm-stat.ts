/** What `vm_stat` prints: pages by kind now, and counters since the boot. Pure. */
import { wholeLines, wholeNumber } from '../lines.ts'

const labels = {
  free: 'Pages free',
  active: 'Pages active',
  inactive: 'Pages inactive',
  /** Read ahead from files, and counted as file-backed too; not part of `free`. */
  speculative: 'Pages speculative',
  throttled: 'Pages throttled',
  wired: 'Pages wired down',
  purgeable: 'Pages purgeable',
  fileBacked: 'File-backed pages',
  anonymous: 'Anonymous pages',
  /** As large as they were before. */
  storedInCompressor: 'Pages stored in compressor',
  occupiedByCompressor: 'Pages occupied by compressor',
  decompressions: 'Decompressions',
  compressions: 'Compressions',
  pageIns: 'Pageins',
  pageOuts: 'Pageouts',
  swapIns: 'Swapins',
  swapOuts: 'Swapouts',
} as const

/** In pages; null where a line is missing or no number. */
export type VmStat = Readonly<Record<keyof typeof labels, number | null>> & {
  readonly pageBytes: number
}

/** null without the size of a page. Newer systems print more lines, and some labels are in quotes. */
export function parseVmStat(text: string): VmStat | null {
  const lines = wholeLines(text)
  const pageBytes = lines
    .map((line) => wholeNumber(/\(page size of (\d+) bytes\)/.exec(line)?.[1]))
    .find((size) => size !== null && size > 0)
  if (pageBytes === undefined || pageBytes === null) return null
  const counts = new Map(lines.map(readLine))
  const count = (name: keyof typeof labels): number | null => counts.get(labels[name]) ?? null
  return {
    pageBytes,
    free: count('free'),
    active: count('active'),
    inactive: count('inactive'),
    speculative: count('speculative'),
    throttled: count('throttled'),
    wired: count('wired'),
    purgeable: count('purgeable'),
    fileBacked: count('fileBacked'),
    anonymous: count('anonymous'),
    storedInCompressor: count('storedInCompressor'),
    occupiedByCompressor: count('occupiedByCompressor'),
    decompressions: count('decompressions'),
    compressions: count('compressions'),
    pageIns: count('pageIns'),
    pageOuts: count('pageOuts'),
    swapIns: count('swapIns'),
    swapOuts: count('swapOuts'),
  }
}

function readLine(line: string): [label: string, pages: number | null] {
  const [, label, pages] = /^\s*"?([^":]+)"?:\s+(\d+)\.$/.exec(line) ?? []
  return [label ?? '', wholeNumber(pages)]
}
