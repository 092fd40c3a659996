/** How often the kernel killed a process of our own control group for memory (Linux). */
import { readFile } from 'node:fs/promises'

/** null when there is no such file, or its text could not be read. */
export type ReadTextFile = (path: string) => Promise<string | null>

/**
 * The count of this process's control group, which the engine shares; null when unknown. A death
 * between two readings of which the second is higher was such a kill. Never rejects.
 */
export async function readOomKillCount(
  readText: ReadTextFile = readTextFile,
): Promise<number | null> {
  const groups = await readText('/proc/self/cgroup')
  if (groups === null) return null
  for (const path of oomEventFiles(groups)) {
    const count = parseOomKillCount((await readText(path)) ?? '')
    if (count !== null) return count
  }
  return null
}

/**
 * Where the count may be, by `/proc/self/cgroup`, best first. A container may see the path of the host
 * though its own group is mounted at the root: then the root is right. Pure.
 */
export function oomEventFiles(groups: string): string[] {
  const root = '/sys/fs/cgroup'
  const paths = parseGroups(groups)
  const legacy = paths.get('memory')
  // With both mounted the memory controller is in one of them only: where the first names it.
  if (legacy !== undefined) {
    return [`${root}/memory${legacy}/memory.oom_control`, `${root}/memory/memory.oom_control`]
  }
  const unified = paths.get('')
  return unified === undefined ? [] : [`${root}${unified}/memory.events`, `${root}/memory.events`]
}

/** The control group that systemd put this process in; null when it is the root or unknown. Pure. */
export function ownGroup(groups: string): string | null {
  const paths = parseGroups(groups)
  const named = [paths.get(''), paths.get('name=systemd')]
  return named.find((path) => path !== undefined && path !== '') ?? null
}

/** `4:memory:/path` by controller; `0::/path` (v2) has none. The root becomes an empty text. */
function parseGroups(groups: string): Map<string, string> {
  const paths = new Map<string, string>()
  for (const line of groups.split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? []
    if (controllers === undefined || path === undefined) continue
    for (const name of controllers.split(',')) paths.set(name, path === '/' ? '' : path)
  }
  return paths
}

/** The `oom_kill` line of `memory.events` (v2) and `memory.oom_control` (v1). Pure. */
export function parseOomKillCount(events: string): number | null {
  const count = /^oom_kill (\d+)$/m.exec(events)?.[1]
  return count === undefined ? null : Number(count)
}

function readTextFile(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch(() => null)
}
