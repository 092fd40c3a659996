import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { parseLinuxLog } from '../../../src/host/linux-log.ts'
import * as captures from './captures.ts'

const bootMs = Date.UTC(2026, 10, 24, 6, 7, 30)

describe('the signs in the log of Linux', () => {
  it('are the kills and crashes that the kernel wrote down', () => {
    const signs = parseLinuxLog(captures.dmesgDeaths, bootMs)
    expect(signs).toMatchObject([
      { kind: 'crash', pid: 30_908, name: 'llama-server', what: 'segfault at 10 in llama-server' },
      { kind: 'crash', pid: 30_910, what: 'segfault at 10 in llama-server' },
      { kind: 'crash', pid: 30_911, what: 'trap invalid opcode in llama-server' },
      { kind: 'oom-scope', pid: 30_985, name: 'llama-server', scope: 'group' },
      {
        kind: 'oom-kill',
        by: 'the kernel',
        pid: 30_985,
        name: 'llama-server',
        scope: 'group',
        heldBytes: (65_536 + 2524) * 1024,
        line: expect.stringMatching(
          /^Memory cgroup out of memory: Killed process 30985/,
        ) as unknown,
      },
    ])
    expect(signs.at(-1)?.atMs).toBeCloseTo(bootMs + 18_401_725.153, 3)
  })

  it('have no time where the kernel clock is not known', () => {
    const signs = parseLinuxLog(captures.dmesgDeaths, null)
    expect(signs.map(({ atMs }) => atMs)).toEqual([null, null, null, null, null])
  })

  it.each([
    ['the journal', (text: string) => `2026-11-24T11:14:12+0000 vm kernel: ${text}`],
    ['a newer journal', (text: string) => `2026-11-24T13:14:12+02:00 vm kernel: ${text}`],
    ['dmesg --time-format iso', (text: string) => `2026-11-24T11:14:12,000000+00:00 ${text}`],
    ['dmesg with levels', (text: string) => `<4>[24402.000000] ${text}`],
  ])('are the same in %s', (_what, wrap) => {
    const output = captures.dmesgDeaths.replaceAll(/^\[ *[\d.]+\] (.*)$/gm, (_line, text: string) =>
      wrap(text),
    )
    const plain = parseLinuxLog(captures.dmesgDeaths, bootMs)
    const atMs = Date.UTC(2026, 10, 24, 11, 14, 12)
    expect(parseLinuxLog(output, atMs - 24_402_000)).toEqual(
      plain.map((sign) => ({ ...sign, atMs })),
    )
  })

  test.each([
    [
      'Out of memory: Killed process 12 (llama-server) total-vm:9kB, anon-rss:1024kB, file-rss:0kB, shmem-rss:1kB, UID:1000 pgtables:1kB oom_score_adj:0',
      { kind: 'oom-kill', scope: 'machine', pid: 12, heldBytes: 1025 * 1024 },
    ],
    [
      'Out of memory (oom_kill_allocating_task): Killed process 12 (llama-server) total-vm:9kB',
      { kind: 'oom-kill', scope: 'machine', pid: 12, heldBytes: null },
    ],
    [
      'Killed process 12, UID 1000, (llama-server) total-vm:9kB, anon-rss:8kB, file-rss:0kB',
      { kind: 'oom-kill', scope: null, pid: 12, heldBytes: 8192 },
    ],
    [
      'oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/x,task=llama-server,pid=12,uid=0',
      { kind: 'oom-scope', scope: 'machine', pid: 12 },
    ],
    [
      'llama-server[12]: segfault at 0 ip 00007f sp 00007f error 4 in libggml-base.so.0[7f00+1000] likely on CPU 1',
      { kind: 'crash', pid: 12, what: 'segfault at 0 in libggml-base.so.0' },
    ],
    [
      'llama-server[12]: segfault at 7f0000000000 ip 0000000000000000 sp 00007ffd error 14',
      { kind: 'crash', pid: 12, what: 'segfault at 7f0000000000' },
    ],
    [
      'traps: llama-server[12] general protection fault ip:55aa sp:7ffd error:0 in llama-server[55aa+1000]',
      { kind: 'crash', pid: 12, what: 'general protection fault in llama-server' },
    ],
    [
      'traps: llama-server[12] trap divide error ip:55aa sp:7ffd error:0 in llama-server[55aa+1000]',
      { kind: 'crash', pid: 12, what: 'trap divide error in llama-server' },
    ],
  ])('are in %j', (message, sign) => {
    expect(parseLinuxLog(`[1.000000] ${message}`, bootMs)).toMatchObject([sign])
  })

  it('are kills by systemd-oomd, earlyoom and old kernels, and core dumps', () => {
    expect(parseLinuxLog(captures.oomd, null)).toMatchObject([
      {
        kind: 'group-kill',
        group: '/user.slice/user-1001.slice/user@1001.service/app.slice/oss20bd.service',
        atMs: Date.UTC(2023, 11, 18, 19, 34, 56),
      },
      { kind: 'group-kill', group: 'oss20bd.service' },
    ])
    expect(parseLinuxLog(captures.earlyoom, null)).toMatchObject([
      {
        kind: 'oom-kill',
        by: 'earlyoom',
        pid: 27_541,
        name: 'bash',
        heldBytes: 7609 * 2 ** 20,
        line: 'killing process 27541 "bash"',
      },
    ])
    expect(parseLinuxLog(captures.oldKernelOom, null)).toMatchObject([
      { kind: 'oom-scope', scope: 'machine', pid: 27_541 },
      { kind: 'oom-kill', scope: null, pid: 27_541 },
    ])
    const dump =
      '2026-11-24T11:14:12+0000 vm systemd-coredump[99]: Process 12 (llama-server) of user 1000 dumped core.\n    Stack trace of thread 12:\n'
    expect(parseLinuxLog(dump, null)).toMatchObject([{ kind: 'core-dump', pid: 12 }])
  })

  it('show no command line of a process, no control character and no more than 300 characters', () => {
    const line =
      '2026-11-24T11:14:12+0000 vm earlyoom[7]: sending SIGTERM to process 12 uid 1000 "llama-server": oom_score 800, VmRSS 12 MiB, cmdline "llama-server --api-key secret"'
    expect(parseLinuxLog(line, null)[0]?.line).toBe(
      'sending SIGTERM to process 12 uid 1000 "llama-server"',
    )
    const long = `[1.0] Out of memory: Killed process 12 (llama-server) \u001B[31m${'x'.repeat(900)}`
    expect(parseLinuxLog(long, bootMs)[0]?.line).toHaveLength(300)
    expect(parseLinuxLog(long, bootMs)[0]?.line).not.toContain('\u001B')
  })

  test.each([
    ['nothing', ''],
    ['a journal without entries', '-- No entries --\n'],
    ['a journal of another language', '-- Keine Einträge --\n'],
    ['a kill in a sentence of somebody', 'he said: Killed process twelve (llama-server)'],
    ['a kill without a place for it', 'Out of memory: Killed process 12 (llama-server)'],
    ['a cut line', '[1.000000] Out of memory: Killed process 12 (llama-'],
    ['a threat of old kernels without its scope', '[1.0] Kill process 12 (llama-server) score 1'],
    [
      'a kill for the memory of one node',
      '[1.0] oom-kill:constraint=CONSTRAINT_CPUSET,task=a,pid=1,uid=0',
    ],
  ])('are not in %s', (_what, output) => {
    expect(parseLinuxLog(output, bootMs)).toEqual([])
  })
})

it('never throws, and is not slow, whatever it is given', () => {
  const words = fc.constantFrom(
    '[1.0] ',
    '2026-11-24T11:14:12+0000 vm kernel: ',
    'Memory cgroup out of memory: ',
    'Killed process 1 (',
    'oom-kill:constraint=CONSTRAINT_MEMCG,',
    ',task=a,pid=',
    'traps: a[1] trap ',
    'segfault at ',
    '9'.repeat(400),
    'anon-rss:',
    'kB',
    '\n',
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(words, fc.string()), { maxLength: 40 }), (parts) => {
      expect(() => parseLinuxLog(parts.join(''), bootMs)).not.toThrow()
    }),
  )
  expect(parseLinuxLog(`[1.0] traps: ${'a[1] trap '.repeat(200_000)}`, bootMs)).toHaveLength(1)
})
