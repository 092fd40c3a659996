import fc from 'fast-check'
import { expect, it, test } from 'vitest'
import {
  oomEventFiles,
  ownGroup,
  parseOomKillCount,
  readOomKillCount,
} from '../../../src/host/oom-count.ts'
import { hybridGroups, oomControlAfter, oomControlBefore } from './captures.ts'

const userService = '0::/user.slice/user-1000.slice/user@1000.service/app.slice/oss20bd.service\n'
const events = 'low 0\nhigh 12\nmax 0\noom 3\noom_kill 2\noom_group_kill 0\n'

function files(all: Record<string, string>): (path: string) => Promise<string | null> {
  return (path) => Promise.resolve(all[path] ?? null)
}

test.each([
  [events, 2],
  [oomControlBefore, 0],
  [oomControlAfter, 1],
  [events.split('\n').toReversed().join('\n'), 2],
  ['low 0\noom 3\n', null],
  ['oom_kill\n', null],
  ['oom_kill -1\n', null],
  ['', null],
])('the count in %j', (text, count) => {
  expect(parseOomKillCount(text)).toBe(count)
})

test.each([
  [
    'cgroup v2',
    userService,
    [
      'user.slice/user-1000.slice/user@1000.service/app.slice/oss20bd.service/memory.events',
      'memory.events',
    ],
  ],
  [
    'cgroup v1 beside an empty v2',
    hybridGroups,
    ['memory/process_api/19aafb1e/memory.oom_control', 'memory/memory.oom_control'],
  ],
  ['a container', '0::/\n', ['memory.events', 'memory.events']],
  [
    'controllers that share a group',
    '4:cpu,memory:/a:b\n',
    ['memory/a:b/memory.oom_control', 'memory/memory.oom_control'],
  ],
  ['no memory controller', '1:cpu:/\n', []],
  ['nothing', '', []],
])('the files of %s', (_what, groups, paths) => {
  expect(oomEventFiles(groups)).toEqual(paths.map((path) => `/sys/fs/cgroup/${path}`))
})

test.each([
  [userService, '/user.slice/user-1000.slice/user@1000.service/app.slice/oss20bd.service'],
  ['1:name=systemd:/system.slice/oss20bd.service\n0::/\n', '/system.slice/oss20bd.service'],
  [hybridGroups, null],
  ['', null],
])('the own group of %j', (groups, group) => {
  expect(ownGroup(groups)).toBe(group)
})

it('is read from the own group, else from the root of what is mounted', async () => {
  const own = '/sys/fs/cgroup/memory/process_api/19aafb1e/memory.oom_control'
  const root = '/sys/fs/cgroup/memory/memory.oom_control'
  const groups = { '/proc/self/cgroup': hybridGroups }
  expect(
    await readOomKillCount(files({ ...groups, [own]: oomControlAfter, [root]: 'oom_kill 7' })),
  ).toBe(1)
  expect(await readOomKillCount(files({ ...groups, [root]: oomControlAfter }))).toBe(1)
  expect(await readOomKillCount(files(groups))).toBeNull()
  expect(await readOomKillCount(files({}))).toBeNull()
})

it('never throws, whatever it is given', () => {
  fc.assert(
    fc.property(
      fc.string(),
      fc.array(fc.constantFrom('0::/', 'memory', ':', '\n', '1')),
      (noise, parts) => {
        const texts = [noise, parts.join('')]
        expect(() =>
          texts.map((text) => [oomEventFiles(text), ownGroup(text), parseOomKillCount(text)]),
        ).not.toThrow()
      },
    ),
  )
})
