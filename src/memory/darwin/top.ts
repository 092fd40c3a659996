/** What `top -l 1 -pid PID -stats pid,mem` prints: the same footprint as `footprint`, rounded. Pure. */
import { sizeInBytes, wholeLines } from '../lines.ts'

export function topArgs(pid: number | string): string[] {
  return ['-l', '1', '-pid', String(pid), '-stats', 'pid,mem']
}

/** MEM of that process in bytes; null when there is no such row. Columns in any order. */
export function parseTop(text: string, pid: number): number | null {
  const lines = wholeLines(text)
  // The lines above the table are of the whole machine.
  const header = lines.findIndex((line, index) => lines[index - 1] === '' && /^PID\b/.test(line))
  const columns = columnStarts(lines[header] ?? '')
  const at = { pid: columns.get('PID'), mem: columns.get('MEM') }
  if (at.pid === undefined || at.mem === undefined) return null
  const row = lines
    .slice(header + 1)
    .find((line) => Number.parseInt(line.slice(at.pid), 10) === pid)
  // A `+` or `-` tells whether it grew.
  const cell = /^\S+/.exec(row?.slice(at.mem) ?? '')?.[0] ?? ''
  return sizeInBytes(cell.replace(/[+-]$/, ''))
}

/** Names of commands hold spaces: the heading says where each column begins. */
function columnStarts(header: string): Map<string, number> {
  return new Map([...header.matchAll(/\S+/g)].map((match) => [match[0], match.index]))
}
