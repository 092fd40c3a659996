import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import {
  findDeathEvidence,
  type Death,
  type DeathEvidence,
  type EvidenceDeps,
} from '../../../src/host/death-evidence.ts'
import type { HostReaders } from '../../../src/host/evidence.ts'
import { FakeClock, settle } from '../../helpers/fake-clock.ts'
import * as captures from './captures.ts'

const diedAtMs = Date.UTC(2026, 8, 29, 11, 43, 20)
const startedAtMs = diedAtMs - 3_600_000
const system = '/Library/Logs/DiagnosticReports'
const own = '/Users/me/Library/Logs/DiagnosticReports'

/** A machine in memory. */
class FakeHost implements HostReaders {
  readonly homeFolder = '/Users/me'
  readonly files = new Map<string, string>()
  readonly opened: string[] = []
  readonly ran: { file: string; args: readonly string[]; deadlineMs: number }[] = []
  readonly outputs = new Map<string, string>()
  readonly #clock: FakeClock
  /** When the test began. */
  uptimeMs: number | null = null
  modifiedMs: number = diedAtMs + 1000

  constructor(clock: FakeClock) {
    this.#clock = clock
  }

  listFolder(path: string): Promise<string[]> {
    const names = [...this.files.keys()].filter((file) => file.startsWith(`${path}/`))
    return Promise.resolve(names.map((file) => file.slice(path.length + 1)))
  }

  modifiedAtMs(path: string): Promise<number | null> {
    return Promise.resolve(this.files.has(path) ? this.modifiedMs : null)
  }

  readText(path: string): Promise<string | null> {
    this.opened.push(path)
    return Promise.resolve(this.files.get(path) ?? null)
  }

  run(file: string, args: readonly string[], deadlineMs: number): Promise<string | null> {
    this.ran.push({ file, args, deadlineMs })
    return Promise.resolve(this.outputs.get(file) ?? null)
  }

  kernelUptimeMs(): number | null {
    return this.uptimeMs === null ? null : this.uptimeMs + this.#clock.monotonicMs()
  }
}

interface Rig {
  readonly host: FakeHost
  readonly clock: FakeClock
  readonly stop: AbortController
  /** Asks, and lets as much time pass as it wants; with the time that took. */
  readonly ask: (
    death?: Partial<Death>,
    deps?: Partial<EvidenceDeps>,
  ) => Promise<DeathEvidence | null>
  readonly tookMs: () => number
}

function rig(platform: NodeJS.Platform): Rig {
  const clock = new FakeClock(diedAtMs)
  const host = new FakeHost(clock)
  const stop = new AbortController()
  const deps = { platform, clock, signal: stop.signal, readers: host, oomKillsBefore: null }
  const died = { pid: 4711, name: 'llama-server', signal: 'SIGKILL', startedAtMs, diedAtMs }
  return {
    host,
    clock,
    stop,
    ask: async (death = {}, more = {}) => {
      const ends = { known: false }
      const asking = findDeathEvidence({ ...died, ...death }, { ...deps, ...more }).finally(() => {
        ends.known = true
      })
      await settle()
      while (!ends.known) await clock.advance(clock.nextDelayMs ?? 0)
      return asking
    },
    tookMs: () => clock.monotonicMs(),
  }
}

/** A list of kills as macOS writes it, with ours among them. */
function jetsam(ours: Record<string, unknown>, timestamp = '2026-09-29 17:13:21.00 +0530'): string {
  return `{"bug_type":"298","timestamp":"${timestamp}"}\n${JSON.stringify({
    largestProcess: 'SecretApp',
    memoryStatus: { pageSize: 16_384 },
    processes: [
      { pid: 398, name: 'SecretDaemon', lifetimeMax: 472 },
      { pid: 4711, name: 'llama-server', lifetimeMax: 786_432, ...ours },
    ],
  })}`
}

const crash = captures.crashTrimmed
  .replace('2026-06-11 15:02:29.00 +0100', '2026-09-29 13:43:21.00 +0200')
  .replaceAll('yz_crash', 'llama-server')
  .replace('55982', '4711')

function kernelSays(...messages: string[]): string {
  return messages
    .map((eventMessage) =>
      JSON.stringify({ eventMessage, timestamp: '2026-09-29 13:43:19.5+0200' }),
    )
    .join('\n')
}

describe('on macOS', () => {
  it('a kill for memory is told from the list of kills, with the peak', async () => {
    const { host, ask, tookMs } = rig('darwin')
    host.files.set(
      `${system}/JetsamEvent-1.ips`,
      jetsam({ reason: 'vm-compressor-space-shortage' }),
    )
    expect(await ask()).toEqual({
      kind: 'memory-kill',
      message:
        'macOS killed llama-server (pid 4711) to get memory back: the space for compressed memory was used up (vm-compressor-space-shortage)',
      hint: 'Close other large apps, or lower model.contextTokens in the config so that the engine takes less',
      evidence: [
        '/Library/Logs/DiagnosticReports/JetsamEvent-1.ips: llama-server killed, vm-compressor-space-shortage, peak 12.0 GiB',
      ],
    })
    expect(tookMs()).toBe(0)
    expect(host.ran).toEqual([])
  })

  it('waits for a report that comes late, and for one that is not whole yet', async () => {
    const { host, ask, clock, tookMs } = rig('darwin')
    const path = `${own}/JetsamEvent-1.ips`
    host.files.set(path, jetsam({ reason: 'highwater' }).slice(0, -5))
    const asking = ask()
    void clock.sleep(11_000).then(() => host.files.set(path, jetsam({ reason: 'a-new-reason' })))
    expect(await asking).toMatchObject({
      message: 'macOS killed llama-server (pid 4711) to get memory back: a-new-reason',
      evidence: [expect.stringMatching(/^~\/Library\/Logs/) as unknown],
    })
    expect(tookMs()).toBe(12_000)
  })

  it.each([
    ['one that was not killed, though the largest', jetsam({})],
    ['another process', jetsam({ reason: 'vm-pageshortage', pid: 4712 }).replace('vm-', 'x-')],
    ['another program with its pid', jetsam({ reason: 'highwater', name: 'SecretDaemon' })],
    ['a kill of an hour ago', jetsam({ reason: 'highwater' }, '2026-09-29 16:13:21.00 +0530')],
    ['a kill at an unknown time', jetsam({ reason: 'highwater' }, 'yesterday')],
  ])('%s proves nothing', async (_what, text) => {
    const { host, ask } = rig('darwin')
    host.files.set(`${system}/JetsamEvent-1.ips`, text)
    expect(await ask()).toMatchObject({ kind: 'nothing-found', evidence: [] })
  })

  it('a kill from before its start is about an earlier process', async () => {
    const { host, ask } = rig('darwin')
    host.files.set(`${system}/JetsamEvent-1.ips`, jetsam({ reason: 'highwater' }))
    const started = { startedAtMs: diedAtMs + 10_000, diedAtMs: diedAtMs + 20_000 }
    expect(await ask(started)).toMatchObject({ kind: 'nothing-found' })
  })

  it('after SIGKILL the log is asked once, for 4 minutes around it at most', async () => {
    const { host, ask, tookMs } = rig('darwin')
    host.outputs.set(
      '/usr/bin/log',
      kernelSays(
        'low swap: killing largest compressed process with pid 4711 (llama-server) and size 14336 MB',
      ),
    )
    expect(await ask()).toEqual({
      kind: 'memory-kill',
      message:
        'macOS killed llama-server (pid 4711) to get memory back: swap was used up and it held the largest part of the compressed memory (low swap, it held 14.0 GiB)',
      hint: 'Close other large apps, or lower model.contextTokens in the config so that the engine takes less',
      evidence: [
        'kernel: low swap: killing largest compressed process with pid 4711 (llama-server) and size 14336 MB',
      ],
    })
    expect(tookMs()).toBe(30_000)
    expect(host.ran).toMatchObject([{ file: '/usr/bin/log', deadlineMs: 20_000 }])
    const since = Math.floor(diedAtMs / 1000) - 120
    expect(host.ran[0]?.args.slice(0, 7)).toEqual([
      'show',
      '--style',
      'ndjson',
      '--start',
      `@${since}`,
      '--end',
      `@${since + 150}`,
    ])
  })

  it('a shortage in those minutes is told as that, no more', async () => {
    const { host, ask } = rig('darwin')
    host.files.set(
      `${system}/JetsamEvent-1.ips`,
      jetsam({ pid: 5, name: 'SecretApp', reason: 'vm-pageshortage' }),
    )
    host.outputs.set(
      '/usr/bin/log',
      kernelSays(
        'low swap: failed to create swapfile',
        'low swap: failed to create swapfile',
        'memorystatus: killing_top_process pid 901 [SecretApp] jetsam_reason->osr_code: 2',
        '{"compressor_exhausted": 1, "swap_low": 0}',
      ),
    )
    const evidence = await ask()
    expect(evidence).toEqual({
      kind: 'memory-shortage',
      message:
        'llama-server (pid 4711) was ended by SIGKILL while macOS was short of memory: no record says who ended it',
      hint: 'Free some disk space: macOS could not create a swap file',
      evidence: [
        'kernel: swap file not created (2 times within 2 min)',
        'kernel: compressor exhausted (1 times within 2 min)',
        'kernel: other processes killed for memory (1 times within 2 min)',
      ],
    })
    expect(JSON.stringify(evidence)).not.toContain('Secret')
  })

  it.each([
    ['readable and silent', '', 'nothing found in the diagnostic reports and the system log'],
    [
      'not readable',
      null,
      'nothing found in the diagnostic reports, and the system log was not readable',
    ],
  ])('says that nothing was found where the log is %s', async (_what, output, words) => {
    const { host, ask } = rig('darwin')
    if (output !== null) host.outputs.set('/usr/bin/log', output)
    const evidence = await ask()
    expect(evidence).toMatchObject({ kind: 'nothing-found', evidence: [] })
    expect(evidence?.message).toBe(`llama-server (pid 4711) was ended by SIGKILL: ${words}`)
    expect(evidence?.hint).toContain('does not write down every kill')
  })

  it('a crash is told with its innermost functions, and the log is not asked', async () => {
    const { host, ask } = rig('darwin')
    host.files.set(`${own}/llama-server-2026-09-29-134321.ips`, crash)
    expect(await ask({ signal: 'SIGSEGV' })).toEqual({
      kind: 'crash-report',
      message:
        'llama-server (pid 4711) crashed: EXC_BAD_ACCESS (SIGSEGV), KERN_INVALID_ADDRESS at 0x0000000000000000, SIGNAL: Segmentation fault: 11, in main (llama-server)',
      hint: 'If it comes again, send ~/Library/Logs/DiagnosticReports/llama-server-2026-09-29-134321.ips to the llama.cpp project or build another engine with oss20bd build',
      evidence: [
        '~/Library/Logs/DiagnosticReports/llama-server-2026-09-29-134321.ips',
        '  main (llama-server)',
        '  start (dyld)',
      ],
    })
    expect(host.ran).toEqual([])
  })

  it('a refused code signature is told as that', async () => {
    const { host, ask } = rig('darwin')
    const refused = crash
      .replace('"SIGNAL"', '"CODESIGNING"')
      .replace('Segmentation fault: 11', 'Invalid Page')
    host.files.set(`${own}/llama-server-1.ips`, refused)
    const evidence = await ask()
    expect(evidence?.message).toContain('because of its code signature')
    expect(evidence?.message).toContain('CODESIGNING: Invalid Page')
    expect(evidence?.hint).toContain('oss20bd build')
  })

  it('opens no report of another program, no old one, and nothing else', async () => {
    const { host, ask } = rig('darwin')
    host.files.set(`${own}/SecretApp-1.ips`, crash)
    host.files.set(`${own}/llama-server-1.diag`, crash)
    await ask()
    expect(host.opened).toEqual([])
    host.files.set(`${own}/llama-server-1.ips`, crash)
    host.modifiedMs = diedAtMs - 120_001
    await ask()
    expect(host.opened).toEqual([])
  })

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'])(
    '%s is somebody’s wish and not looked into',
    async (signal) => {
      const { ask, tookMs } = rig('darwin')
      expect(await ask({ signal })).toBeNull()
      expect(tookMs()).toBe(0)
    },
  )
})

describe('on Linux', () => {
  const pid = 30_985
  const groupFile = '/sys/fs/cgroup/memory/process_api/19aafb1e/memory.oom_control'

  /** The machine of the capture, at the moment of the kill. */
  function linux(): Rig {
    const made = rig('linux')
    made.host.uptimeMs = 18_401_725
    made.host.files.set('/proc/self/cgroup', captures.hybridGroups)
    made.host.files.set(groupFile, captures.oomControlAfter)
    return made
  }

  it('a kill for memory is told from the kernel log', async () => {
    const { host, ask, tookMs } = linux()
    host.outputs.set('dmesg', captures.dmesgDeaths)
    expect(await ask({ pid })).toMatchObject({
      kind: 'memory-kill',
      message:
        'The Linux kernel killed llama-server (pid 30985) to get memory back: its control group reached its memory limit, it held 66.5 MiB',
      hint: expect.stringContaining('MemoryMax') as unknown,
    })
    expect(tookMs()).toBe(0)
    const since = Math.floor(diedAtMs / 1000) - 120
    expect(host.ran[0]?.args.slice(0, 7)).toEqual([
      '--quiet',
      '--no-pager',
      '--output',
      'short-iso',
      '--since',
      `@${since}`,
      '_TRANSPORT=kernel',
    ])
  })

  it('tells of the whole machine by the line beside the kill of an old kernel', async () => {
    const { host, ask } = rig('linux')
    host.outputs.set('journalctl', captures.oldKernelOom)
    const died = Date.UTC(2019, 3, 27, 22, 23, 31)
    const death = { pid: 27_541, name: 'bash', diedAtMs: died, startedAtMs: died - 60_000 }
    expect(await ask(death)).toMatchObject({
      kind: 'memory-kill',
      message:
        'The Linux kernel killed bash (pid 27541) to get memory back: the memory of this machine ran out, it held 7.7 GiB',
      hint: expect.stringContaining('Close other large programs') as unknown,
    })
  })

  it('in a container, where the kernel has another pid for it, the counter of the group decides', async () => {
    const { host, ask } = linux()
    host.outputs.set('dmesg', captures.dmesgDeaths)
    expect(await ask({ pid: 17 }, { oomKillsBefore: 0 })).toMatchObject({
      kind: 'memory-kill',
      message: expect.stringContaining('it held 66.5 MiB') as unknown,
    })
    expect(await ask({ pid: 17 }, { oomKillsBefore: 1 })).toMatchObject({ kind: 'nothing-found' })
    expect(await ask({ pid: 17 }, { oomKillsBefore: null })).toMatchObject({
      kind: 'nothing-found',
    })
  })

  it('the counter alone is evidence after SIGKILL, and only then', async () => {
    const { ask } = linux()
    expect(await ask({}, { oomKillsBefore: 0 })).toEqual({
      kind: 'memory-kill',
      message: 'The Linux kernel killed llama-server (pid 4711) to get memory back: memory ran out',
      hint: 'Close other large programs, or lower model.contextTokens in the config so that the engine takes less',
      evidence: ['oom_kill of our control group: 0 before the run, 1 after'],
    })
    expect(await ask({ signal: 'SIGSEGV' }, { oomKillsBefore: 0 })).toMatchObject({
      kind: 'nothing-found',
    })
  })

  it.each([
    ['systemd-oomd', captures.oomd, 'systemd-oomd killed'],
    [
      'the kernel, as systemd tells it',
      '2023-12-18T19:34:56+0000 h systemd[1]: oss20bd.service: A process of this unit has been killed by the OOM killer.',
      'The Linux kernel killed',
    ],
  ])('a kill of our whole group by %s is told', async (_who, log, words) => {
    const { host, ask } = rig('linux')
    const died = Date.UTC(2023, 11, 18, 19, 34, 57)
    const group = '/user.slice/user-1001.slice/user@1001.service/app.slice/oss20bd.service'
    host.files.set('/proc/self/cgroup', `0::${group}\n`)
    host.outputs.set('journalctl', log)
    const death = { diedAtMs: died, startedAtMs: died - 60_000 }
    expect((await ask(death))?.message).toContain(words)
    host.files.set('/proc/self/cgroup', '0::/user.slice/other.service\n')
    expect(await ask(death)).toMatchObject({ kind: 'nothing-found' })
  })

  it('a kill by earlyoom is told, after SIGTERM too', async () => {
    const { host, ask } = rig('linux')
    host.outputs.set('journalctl', captures.earlyoom)
    const died = Date.UTC(2019, 3, 27, 22, 23, 31)
    const death = {
      pid: 27_541,
      name: 'bash',
      signal: 'SIGTERM',
      diedAtMs: died,
      startedAtMs: died - 60_000,
    }
    expect((await ask(death))?.message).toBe(
      'earlyoom killed bash (pid 27541) to get memory back: the memory of this machine ran out, it held 7.4 GiB',
    )
  })

  it.each([
    ['its own', { pid: 30_908, signal: 'SIGSEGV' }, 'segfault at 10 in llama-server'],
    ['a thread’s', { pid: 30_909, signal: 'SIGSEGV' }, 'segfault at 10 in llama-server'],
    ['another fault’s', { pid: 30_911, signal: 'SIGILL' }, 'trap invalid opcode in llama-server'],
  ])('a crash is told from %s line', async (_whose, death, what) => {
    const { host, ask } = linux()
    host.outputs.set('dmesg', captures.dmesgDeaths)
    expect(await ask(death)).toMatchObject({
      kind: 'crash-report',
      message: `llama-server (pid ${death.pid}) crashed: ${what}`,
    })
  })

  it.each([
    ['of the run before', { pid: 30_950, signal: 'SIGSEGV' }],
    ['of another fault', { pid: 30_900, signal: 'SIGABRT' }],
    [
      'from before its start',
      { pid: 30_900, signal: 'SIGSEGV', startedAtMs: diedAtMs + 500, diedAtMs: diedAtMs + 900 },
    ],
    ['of a later run', { pid: 30_900, signal: 'SIGSEGV', diedAtMs: diedAtMs - 4000 }],
  ])('in a crash loop a line %s does not pass for one of this run', async (_what, death) => {
    const { host, ask } = linux()
    host.outputs.set('dmesg', captures.dmesgDeaths)
    expect(await ask(death)).toMatchObject({ kind: 'nothing-found' })
  })

  it('a core dump is told with how to look at it', async () => {
    const { host, ask } = rig('linux')
    host.outputs.set(
      'journalctl',
      '2026-09-29T11:43:20+0000 vm systemd-coredump[99]: Process 4711 (llama-server) of user 1000 dumped core.',
    )
    expect(await ask({ signal: 'SIGABRT' })).toMatchObject({
      kind: 'crash-report',
      message: 'llama-server (pid 4711) crashed: SIGABRT, core dumped',
      hint: expect.stringContaining('coredumpctl info 4711') as unknown,
    })
  })

  it('looks again for 4 s, since the journal may be late', async () => {
    const { host, ask, clock, tookMs } = linux()
    const asking = ask({ pid })
    void clock.sleep(500).then(() => host.outputs.set('dmesg', captures.dmesgDeaths))
    expect(await asking).toMatchObject({ kind: 'memory-kill' })
    expect(tookMs()).toBe(1000)
  })

  it.each([
    ['was silent', '[1.000000] Linux version 6.18', ': nothing found in the kernel log'],
    ['cannot be read', null, ', and the kernel log cannot be read here'],
  ])('says so when the kernel log %s', async (_what, output, words) => {
    const { host, ask, tookMs } = rig('linux')
    if (output !== null) host.outputs.set('dmesg', output)
    const evidence = await ask()
    expect(evidence?.message).toBe(`llama-server (pid 4711) was ended by SIGKILL${words}`)
    expect(tookMs()).toBe(4000)
  })
})

test.each([
  ['an exit by its own will', 'linux', { signal: null }],
  ['an unknown system', 'freebsd', {}],
] as const)('there is nothing to ask after %s', async (_what, platform, death) => {
  const { ask, host } = rig(platform)
  expect(await ask(death)).toBeNull()
  expect([host.opened, host.ran]).toEqual([[], []])
})

test.each(['darwin', 'linux'] as const)('aborting ends the search on %s', async (platform) => {
  const { ask, stop, clock } = rig(platform)
  const asking = ask()
  stop.abort()
  expect(await asking).toBeNull()
  expect(clock.sleeping).toBe(0)
})

test.each(['darwin', 'linux'] as const)(
  'it never rejects on %s, whatever the system says',
  async (platform) => {
    const noise = fc.oneof(
      fc.string(),
      fc.constantFrom(
        jetsam({}),
        crash,
        captures.dmesgDeaths,
        captures.oomd,
        captures.hybridGroups,
      ),
    )
    await fc.assert(
      fc.asyncProperty(
        noise,
        noise,
        fc.constantFrom('SIGKILL', 'SIGSEGV'),
        async (file, output, signal) => {
          const { host, ask } = rig(platform)
          for (const path of [`${system}/JetsamEvent-1.ips`, '/proc/self/cgroup'])
            host.files.set(path, file)
          for (const tool of ['/usr/bin/log', 'journalctl', 'dmesg']) host.outputs.set(tool, output)
          expect(await ask({ signal })).toHaveProperty('kind')
        },
      ),
      { numRuns: 30 },
    )
  },
)
