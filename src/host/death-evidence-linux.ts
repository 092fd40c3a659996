/** Looks for what Linux says about a death: the journal or the kernel's ring buffer, and the OOM counter. */
import {
  type Death,
  type DeathEvidence,
  type EvidenceDeps,
  toUnixStamp,
  windowMs,
} from './evidence.ts'
import { parseLinuxLog, type LinuxSign } from './linux-log.ts'
import { judgeLinux, judgeLinuxSilence } from './linux-verdict.ts'
import { ownGroup, readOomKillCount } from './oom-count.ts'

/** The journal may be behind the kernel by a moment. */
const looksAfterMs = [0, 1000, 3000]
const toolDeadlineMs = 10_000

/** Rejects only when aborted. */
export async function findLinuxEvidence(death: Death, deps: EvidenceDeps): Promise<DeathEvidence> {
  const { readers, clock, signal, oomKillsBefore } = deps
  let readable = false
  for (const delayMs of looksAfterMs) {
    await clock.sleep(delayMs, signal)
    const logs = await readLogs(death, deps)
    readable ||= logs.readable
    const verdict = judgeLinux(death, {
      signs: logs.signs,
      oomKillsBefore,
      oomKillsAfter: await readOomKillCount((path) => readers.readText(path)),
      group: ownGroup((await readers.readText('/proc/self/cgroup')) ?? ''),
    })
    if (verdict !== null) return verdict
  }
  return judgeLinuxSilence(death, readable)
}

interface Logs {
  readonly signs: readonly LinuxSign[]
  readonly readable: boolean
}

/** Both, since a user may be allowed one of them only, and a small system has no journal. */
async function readLogs(death: Death, { readers, signal, clock }: EvidenceDeps): Promise<Logs> {
  const tags = ['systemd', 'systemd-oomd', 'systemd-coredump', 'earlyoom']
  const matches = ['_TRANSPORT=kernel', ...tags.flatMap((tag) => ['+', `SYSLOG_IDENTIFIER=${tag}`])]
  const window = ['--since', toUnixStamp(death.diedAtMs - windowMs)]
  const form = ['--quiet', '--no-pager', '--output', 'short-iso']
  const run = (file: string, args: string[]): Promise<string | null> =>
    readers.run(file, args, toolDeadlineMs, signal)
  const journal = (await run('journalctl', [...form, ...window, ...matches])) ?? ''
  const ring = (await run('dmesg', [])) ?? ''
  const uptimeMs = readers.kernelUptimeMs()
  const bootMs = uptimeMs === null ? null : clock.nowMs() - uptimeMs
  const signs = [...parseLinuxLog(journal, null), ...parseLinuxLog(ring, bootMs)]
  return { signs, readable: ring.trim() !== '' || /^\d.* kernel: /m.test(journal) }
}
