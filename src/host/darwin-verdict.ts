/** What reports and log of a Mac say about one death. Pure. */
import { formatBytes } from '../units.ts'
import type { DarwinShortage, DarwinSign } from './darwin-log.ts'
import { cleanLine, type Death, type DeathEvidence, isInWindow, isSameName } from './evidence.ts'
import type { CrashReport, IpsReport } from './ips-report.ts'

export interface FoundReport {
  /** As a person may see it. */
  readonly path: string
  readonly report: IpsReport
}

const lessMemory =
  'Close other large apps, or lower model.contextTokens in the config so that the engine takes less'

/** The evidence that names the process, surest first; null when no record does. */
export function judgeDarwin(
  death: Death,
  reports: readonly FoundReport[],
  signs: readonly DarwinSign[],
): DeathEvidence | null {
  return judgeJetsam(death, reports) ?? judgeLog(death, signs) ?? judgeCrash(death, reports)
}

/** What is left to say when no record names it: the need of those minutes, or nothing. */
export function judgeDarwinSilence(
  death: Death,
  reports: readonly FoundReport[],
  signs: readonly DarwinSign[] | null,
): DeathEvidence {
  const needs = shortages(death, reports, signs ?? [])
  const what = `${death.name} (pid ${death.pid}) was ended by ${String(death.signal)}`
  if (needs.size > 0) {
    return {
      kind: 'memory-shortage',
      message: `${what} while macOS was short of memory: no record says who ended it`,
      hint: needs.has('swap file not created')
        ? 'Free some disk space: macOS could not create a swap file'
        : lessMemory,
      evidence: [...needs].map(([need, count]) => `kernel: ${need} (${count} times within 2 min)`),
    }
  }
  const killed = death.signal === 'SIGKILL'
  const log = signs === null ? ', and the system log was not readable' : ' and the system log'
  return {
    kind: 'nothing-found',
    message: `${what}: nothing found in the diagnostic reports${killed ? log : ''}`,
    hint: killed
      ? 'macOS does not write down every kill: shortage of memory and kill -9 look alike then'
      : 'The last lines of the engine may say why',
    evidence: [],
  }
}

function judgeJetsam(death: Death, reports: readonly FoundReport[]): DeathEvidence | null {
  for (const { path, report } of reports) {
    if (report.kind !== 'jetsam' || !isInWindow(report.atMs, death)) continue
    const victim = report.processes.find(
      ({ pid, name, reason }) =>
        reason !== null && pid === death.pid && isSameName(name, death.name),
    )
    if (victim === undefined) continue
    const reason = cleanLine(victim.reason ?? '')
    const peak = victim.peakBytes === null ? '' : `, peak ${formatBytes(victim.peakBytes)}`
    return killedFor(death, reason, [`${path}: ${death.name} killed, ${reason}${peak}`])
  }
  return null
}

function judgeLog(death: Death, signs: readonly DarwinSign[]): DeathEvidence | null {
  const kills = signs.flatMap((sign) =>
    sign.kind === 'killed' &&
    sign.pid === death.pid &&
    isSameName(sign.name, death.name) &&
    isInWindow(sign.atMs, death)
      ? [sign]
      : [],
  )
  const [first] = kills
  if (first === undefined) return null
  const held = first.heldBytes === null ? '' : `, it held ${formatBytes(first.heldBytes)}`
  const lines = kills.map(({ line }) => `kernel: ${cleanLine(line)}`)
  return killedFor(death, `${first.reason ?? 'no reason given'}${held}`, lines)
}

/** What the reasons of the kernel mean, where Apple's source says so. */
const meanings: Record<string, string> = {
  'vm-compressor-space-shortage': 'the space for compressed memory was used up',
  'low swap': 'swap was used up and it held the largest part of the compressed memory',
  'per-process-limit': 'it passed a limit set for this process',
  highwater: 'it passed its high-water mark while memory was short',
}

function killedFor(death: Death, reason: string, evidence: string[]): DeathEvidence {
  const meaning = Object.entries(meanings).find(([name]) => reason.startsWith(name))?.[1]
  const why = meaning === undefined ? reason : `${meaning} (${reason})`
  return {
    kind: 'memory-kill',
    message: `macOS killed ${death.name} (pid ${death.pid}) to get memory back: ${why}`,
    hint: lessMemory,
    evidence,
  }
}

function judgeCrash(death: Death, reports: readonly FoundReport[]): DeathEvidence | null {
  for (const { path, report } of reports) {
    if (report.kind === 'crash' && fits(report, death)) return crashed(death, path, report)
  }
  return null
}

function fits(report: CrashReport, death: Death): boolean {
  return (
    report.pid === death.pid &&
    isSameName(report.name, death.name) &&
    isInWindow(report.atMs, death)
  )
}

function crashed(death: Death, path: string, report: CrashReport): DeathEvidence {
  const { terminationNamespace: space, terminationIndicator: indicator } = report
  const termination = [space, indicator].filter((part) => part !== null).join(': ')
  const what = [...report.exception, termination].filter((part) => part !== '').map(cleanLine)
  const [inner] = report.frames
  const where = inner === undefined ? '' : `, in ${cleanLine(inner)}`
  const signing = space === 'CODESIGNING'
  return {
    kind: 'crash-report',
    message: signing
      ? `macOS ended ${death.name} (pid ${death.pid}) because of its code signature: ${what.join(', ')}`
      : `${death.name} (pid ${death.pid}) crashed: ${what.join(', ') || 'no exception told'}${where}`,
    hint: signing
      ? 'Build the engine anew with oss20bd build: a program changed in its place is refused'
      : `If it comes again, send ${path} to the llama.cpp project or build another engine with oss20bd build`,
    evidence: [path, ...report.frames.map((frame) => `  ${cleanLine(frame)}`)],
  }
}

function shortages(
  death: Death,
  reports: readonly FoundReport[],
  signs: readonly DarwinSign[],
): Map<DarwinShortage | 'other processes killed for memory', number> {
  const counts = new Map<DarwinShortage | 'other processes killed for memory', number>()
  const add = (what: DarwinShortage | 'other processes killed for memory', count: number): void => {
    if (count > 0) counts.set(what, (counts.get(what) ?? 0) + count)
  }
  for (const sign of signs) {
    if (sign.kind === 'shortage' && isInWindow(sign.atMs, death)) add(sign.what, 1)
  }
  for (const { report } of reports) {
    if (report.kind !== 'jetsam' || !isInWindow(report.atMs, death)) continue
    // Limits of single processes and idle ones are enforced on healthy Macs too.
    const killed = report.processes.filter(({ reason }) => reason?.startsWith('vm-') === true)
    add('other processes killed for memory', killed.length)
  }
  return counts
}
