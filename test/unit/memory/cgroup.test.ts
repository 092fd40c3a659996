import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { cgroupFolders } from '../../../src/memory/linux/cgroup-folders.ts'
import { findCgroups, readCgroupRoom } from '../../../src/memory/linux/cgroup-limit.ts'
import { garbage } from './captures.ts'

const v1Mounts = readFileSync(
  join(import.meta.dirname, '../../fixtures/linux/mountinfo-v1.txt'),
  'utf8',
)
const v2Mounts = '30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n'
const gib = 2 ** 30

describe('cgroupFolders()', () => {
  it('goes from its own group up to the root', () => {
    expect(cgroupFolders('0::/user.slice/app.slice\n', v2Mounts).map(({ path }) => path)).toEqual([
      '/sys/fs/cgroup/user.slice/app.slice',
      '/sys/fs/cgroup/user.slice',
      '/sys/fs/cgroup',
    ])
  })

  it('looks in both trees where both are mounted', () => {
    expect(cgroupFolders('4:memory:/init.scope\n3:cpuset:/\n0::/init.scope\n', v1Mounts)).toEqual([
      { version: 1, path: '/sys/fs/cgroup/memory/init.scope' },
      { version: 1, path: '/sys/fs/cgroup/memory' },
      { version: 2, path: '/sys/fs/cgroup/unified/init.scope' },
      { version: 2, path: '/sys/fs/cgroup/unified' },
    ])
  })

  test.each([
    ['the part that a container mounts', '4:memory:/docker/ab/cd\n', '/docker/ab', ['/m/cd', '/m']],
    ['a container that sees the path of the host', '4:memory:/docker/ab\n', '/docker/ab', ['/m']],
    ['a path that is not below the mount', '4:memory:/other\n', '/docker/ab', ['/m']],
    ['a name that only begins alike', '4:memory:/docker/abc\n', '/docker/ab', ['/m']],
    ['a group outside of the namespace', '4:memory:/../../x\n', '/', ['/m']],
    ['the root', '4:memory:/\n', '/', ['/m']],
    ['a name with a colon', '4:memory:/a:b\n', '/', ['/m/a:b', '/m']],
  ])('finds %s', (_title, groups, root, paths) => {
    const mounts = `35 31 0:32 ${root} /m rw shared:1 - cgroup cgroup rw,memory\n`
    expect(cgroupFolders(groups, mounts).map(({ path }) => path)).toEqual(paths)
  })

  it('reads mount points with spaces', () => {
    const mounts = '1 1 0:1 / /sys/fs/c\\040g rw - cgroup2 none rw\n'
    expect(cgroupFolders('0::/\n', mounts)).toEqual([{ version: 2, path: '/sys/fs/c g' }])
  })

  it('never throws', () => {
    const text = fc.oneof(garbage(), fc.constantFrom(v1Mounts, v2Mounts, '0::/a\n4:memory:/b\n'))
    fc.assert(
      fc.property(text, text, (groups, mounts) => {
        expect(cgroupFolders(groups, mounts)).toBeInstanceOf(Array)
      }),
    )
  })
})

/** A tree of files; a missing one is ENOENT as in the system, `denied` one that may not be read. */
function files(tree: Record<string, string>): (path: string) => Promise<string> {
  return (path) => {
    const text = tree[path]
    if (text === undefined)
      return Promise.reject(Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' }))
    return text === 'denied'
      ? Promise.reject(Object.assign(new Error(`EACCES: ${path}`), { code: 'EACCES' }))
      : Promise.resolve(text)
  }
}

async function room(tree: Record<string, string>) {
  const readText = files(tree)
  return readCgroupRoom(await findCgroups(readText), readText)
}

describe('readCgroupRoom()', () => {
  const v2 = { '/proc/self/cgroup': '0::/a/b\n', '/proc/self/mountinfo': v2Mounts }
  const v1 = { '/proc/self/cgroup': '4:memory:/a\n0::/a\n', '/proc/self/mountinfo': v1Mounts }

  it('counts idle pages of files as free, below the limit of version 2', async () => {
    expect(
      await room({
        ...v2,
        '/sys/fs/cgroup/a/b/memory.max': `${8 * gib}\n`,
        '/sys/fs/cgroup/a/b/memory.current': `${6 * gib}\n`,
        '/sys/fs/cgroup/a/b/memory.stat': `active_file 5\ninactive_file ${gib}\n`,
      }),
    ).toEqual({ kind: 'known', value: { limitBytes: 8 * gib, availableBytes: 3 * gib } })
  })

  it('does the same in version 1', async () => {
    expect(
      await room({
        ...v1,
        '/sys/fs/cgroup/memory/a/memory.limit_in_bytes': `${8 * gib}\n`,
        '/sys/fs/cgroup/memory/a/memory.usage_in_bytes': `${6 * gib}\n`,
        '/sys/fs/cgroup/memory/a/memory.stat': `inactive_file 7\ntotal_inactive_file ${gib}\n`,
        '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
      }),
    ).toEqual({ kind: 'known', value: { limitBytes: 8 * gib, availableBytes: 3 * gib } })
  })

  it('takes the least of what each group above leaves', async () => {
    expect(
      await room({
        ...v2,
        '/sys/fs/cgroup/a/b/memory.max': `${4 * gib}\n`,
        '/sys/fs/cgroup/a/b/memory.current': `${gib}\n`,
        '/sys/fs/cgroup/a/memory.max': `${8 * gib}\n`,
        '/sys/fs/cgroup/a/memory.current': `${7.5 * gib}\n`,
      }),
    ).toEqual({ kind: 'known', value: { limitBytes: 4 * gib, availableBytes: gib / 2 } })
  })

  it('takes the mark above which everything is slowed down as a limit', async () => {
    expect(
      await room({
        ...v2,
        '/sys/fs/cgroup/a/b/memory.max': 'max\n',
        '/sys/fs/cgroup/a/b/memory.high': `${2 * gib}\n`,
        '/sys/fs/cgroup/a/b/memory.current': `${3 * gib}\n`,
      }),
    ).toEqual({ kind: 'known', value: { limitBytes: 2 * gib, availableBytes: 0 } })
  })

  test.each([
    ['there are no control groups', {}],
    ['there is no limit', { ...v2, '/sys/fs/cgroup/a/b/memory.max': 'max\n' }],
  ])('has no limit where %s', async (_title, tree) => {
    expect(await room(tree)).toEqual({
      kind: 'known',
      value: { limitBytes: Infinity, availableBytes: Infinity },
    })
  })

  it('is unknown where a limit holds and nobody tells what is in use', async () => {
    const limited = { ...v2, '/sys/fs/cgroup/a/b/memory.max': `${gib}\n` }
    expect(await room(limited)).toEqual({
      kind: 'unknown',
      reason: '/sys/fs/cgroup/a/b/memory.current does not tell what is in use',
    })
    expect(await room({ ...limited, '/sys/fs/cgroup/a/b/memory.current': 'denied' })).toEqual({
      kind: 'unknown',
      reason: 'EACCES: /sys/fs/cgroup/a/b/memory.current',
    })
  })
})
