/** Where the memory limits are that hold for a process: its control group and all above it. Pure. */

export interface CgroupFolder {
  readonly version: 1 | 2
  readonly path: string
}

/**
 * From its own group up to the root, as far as they can be seen. A container may see the path of the host though its
 * own group is mounted as the root: then that root is its group.
 */
export function cgroupFolders(procCgroup: string, mountinfo: string): CgroupFolder[] {
  const mounts = parseMounts(mountinfo)
  return parseGroups(procCgroup).flatMap(({ version, path }) => {
    const mount = mounts.find((other) => other.version === version)
    if (mount === undefined) return []
    return upwards(below(path, mount.root)).map((part) => ({ version, path: mount.path + part }))
  })
}

interface Mount {
  readonly version: 1 | 2
  /** Which part of the tree is mounted there. */
  readonly root: string
  readonly path: string
}

/** `35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory`, and `cgroup2` for version 2. */
function parseMounts(mountinfo: string): Mount[] {
  return mountinfo.split('\n').flatMap((line): Mount[] => {
    const [place, kind] = line.split(' - ')
    const [, , , root, path] = place?.split(' ') ?? []
    const [type, , options] = kind?.split(' ') ?? []
    if (root === undefined || path === undefined) return []
    if (type === 'cgroup2') return [{ version: 2, root: unescape(root), path: unescape(path) }]
    if (type !== 'cgroup' || options?.split(',').includes('memory') !== true) return []
    return [{ version: 1, root: unescape(root), path: unescape(path) }]
  })
}

/** `4:memory:/path` (version 1) and `0::/path` (version 2). With both mounted the limits are in one of them. */
function parseGroups(procCgroup: string): CgroupFolder[] {
  return procCgroup.split('\n').flatMap((line): CgroupFolder[] => {
    const [, number, controllers, path] = /^(\d+):([^:]*):(\/.*)$/.exec(line) ?? []
    if (controllers === undefined || path === undefined) return []
    if (controllers.split(',').includes('memory')) return [{ version: 1, path }]
    return number === '0' && controllers === '' ? [{ version: 2, path }] : []
  })
}

/** The part of `path` below `root`; nothing when it is not below. */
function below(path: string, root: string): string {
  const start = root === '/' ? '' : root
  if (!path.startsWith(`${start}/`)) return ''
  const rest = path.slice(start.length)
  return rest.split('/').includes('..') ? '' : rest
}

/** `/a/b` to `/a/b`, `/a` and nothing. */
function upwards(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '')
  return Array.from({ length: parts.length + 1 }, (_, cut) =>
    parts
      .slice(0, parts.length - cut)
      .map((part) => `/${part}`)
      .join(''),
  )
}

/** Spaces and the like are written as octal numbers there. */
function unescape(path: string): string {
  return path.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCodePoint(Number.parseInt(digits, 8)),
  )
}
