/** Where the runs of `oss20bd bench` are kept: one per line. Pure. */
import { join } from 'node:path'
import type { Paths } from '../../config/paths.ts'

export function historyFile({ home }: Pick<Paths, 'home'>): string {
  return join(home, 'bench.jsonl')
}
