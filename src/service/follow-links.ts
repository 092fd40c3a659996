/** Where a path leads, also when nothing is there. */
import { readlink, realpath } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

/** As many as the system itself follows. */
const MOST_LINKS = 40

/** A link to a file that is gone, or that may not be looked at, still tells where that file is meant to be. */
export async function followLinks(path: string, mostLinks: number = MOST_LINKS): Promise<string> {
  const found = await realpath(path).catch(() => null)
  if (found !== null || mostLinks === 0) return found ?? path
  const target = await readlink(path).catch(() => null)
  return target === null ? path : followLinks(resolve(dirname(path), target), mostLinks - 1)
}
