/** Looks for what macOS says about a death: diagnostic reports, which come late, and the system log. */
import { memoryPredicate, parseDarwinLog, type DarwinSign } from './darwin-log.ts'
import { judgeDarwin, judgeDarwinSilence, type FoundReport } from './darwin-verdict.ts'
import {
  type Death,
  type DeathEvidence,
  type EvidenceDeps,
  toUnixStamp,
  windowMs,
} from './evidence.ts'
import { parseIps } from './ips-report.ts'

const reportsWaitMs = 30_000
const lookEveryMs = 2000
/** It is slow: hours of log took minutes, which is why it gets so few of them. */
const logDeadlineMs = 20_000

/** null for a signal by which somebody asked it to leave. Rejects only when aborted. */
export async function findDarwinEvidence(
  death: Death,
  deps: EvidenceDeps,
): Promise<DeathEvidence | null> {
  if (['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'].includes(death.signal ?? '')) return null
  const reports = new Map<string, FoundReport>()
  const untilMs = deps.clock.monotonicMs() + reportsWaitMs
  for (;;) {
    await readReports(death, deps, reports)
    const verdict = judgeDarwin(death, [...reports.values()], [])
    if (verdict !== null) return verdict
    if (deps.clock.monotonicMs() >= untilMs) break
    await deps.clock.sleep(lookEveryMs, deps.signal)
  }
  const signs = death.signal === 'SIGKILL' ? await readLog(death, deps) : null
  const found = [...reports.values()]
  return judgeDarwin(death, found, signs ?? []) ?? judgeDarwinSilence(death, found, signs)
}

/** Adds what is new and whole. Reports of other programs are not opened, save the lists of kills. */
async function readReports(
  death: Death,
  { readers }: EvidenceDeps,
  reports: Map<string, FoundReport>,
): Promise<void> {
  const folder = 'Library/Logs/DiagnosticReports'
  const places = [
    { real: `/${folder}`, shown: `/${folder}` },
    { real: `${readers.homeFolder}/${folder}`, shown: `~/${folder}` },
  ]
  for (const { real, shown } of places) {
    for (const name of (await readers.listFolder(real)) ?? []) {
      const path = `${real}/${name}`
      if (reports.has(path) || !concerns(name, death)) continue
      const modifiedAtMs = await readers.modifiedAtMs(path)
      if (modifiedAtMs === null || modifiedAtMs < death.diedAtMs - windowMs) continue
      const report = parseIps((await readers.readText(path)) ?? '')
      if (report !== null) reports.set(path, { path: `${shown}/${name}`, report })
    }
  }
}

function concerns(fileName: string, death: Death): boolean {
  const ours = fileName.startsWith('JetsamEvent') || fileName.startsWith(death.name)
  return ours && fileName.endsWith('.ips')
}

/** null when it was not readable: only members of the group admin may. */
async function readLog(death: Death, deps: EvidenceDeps): Promise<DarwinSign[] | null> {
  const endMs = Math.min(death.diedAtMs + windowMs, deps.clock.nowMs())
  const window = ['--start', toUnixStamp(death.diedAtMs - windowMs), '--end', toUnixStamp(endMs)]
  const args = ['show', '--style', 'ndjson', ...window, '--predicate', memoryPredicate]
  const output = await deps.readers.run('/usr/bin/log', args, logDeadlineMs, deps.signal)
  return output === null ? null : parseDarwinLog(output)
}
