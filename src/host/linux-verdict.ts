/** What the logs and counters of a Linux machine say about one death. Pure. */
import { formatBytes } from '../units.ts'
import { type Death, type DeathEvidence, isInWindow, isSameName } from './evidence.ts'
import type { LinuxSign, OomScope } from './linux-log.ts'

export interface LinuxTraces {
  readonly signs: readonly LinuxSign[]
  /** Of our control group; null = unknown. */
  readonly oomKillsBefore: number | null
  readonly oomKillsAfter: number | null
  /** The control group that we share with it; null when it is the root or unknown. */
  readonly group: string | null
}

/** Surest first; null when nothing speaks of it. */
export function judgeLinux(death: Death, traces: LinuxTraces): DeathEvidence | null {
  return (
    judgeKill(death, traces) ??
    judgeGroupKill(death, traces) ??
    judgeCount(death, traces) ??
    judgeCrash(death, traces)
  )
}

/** What there is to say when nothing speaks of it. */
export function judgeLinuxSilence(death: Death, logReadable: boolean): DeathEvidence {
  const looked = logReadable
    ? ': nothing found in the kernel log'
    : ', and the kernel log cannot be read here'
  return {
    kind: 'nothing-found',
    message: `${death.name} (pid ${death.pid}) was ended by ${String(death.signal)}${looked}`,
    hint: silenceHint(death, logReadable),
    evidence: [],
  }
}

function silenceHint(death: Death, logReadable: boolean): string {
  if (death.signal === 'SIGABRT') return 'The program ended itself so: its last lines say why'
  return logReadable
    ? 'Another process may have sent it; the kernel does not write that down'
    : 'Add your user to the group systemd-journal (or adm) to have deaths explained by the kernel log'
}

type NamedSign = Extract<LinuxSign, { readonly pid: number }>

function isAbout(sign: NamedSign, death: Death): boolean {
  return sign.pid === death.pid && isSameName(sign.name, death.name) && isInWindow(sign.atMs, death)
}

/** Whether it was written within the life of the process, to a second: the journal counts whole ones. */
function isWithinLife(sign: NamedSign, death: Death, slackMs: number): boolean {
  if (sign.atMs === null || !isSameName(sign.name, death.name)) return false
  return sign.atMs >= death.startedAtMs - 1000 && sign.atMs <= death.diedAtMs + slackMs
}

function judgeKill(death: Death, traces: LinuxTraces): DeathEvidence | null {
  // In a container the kernel has another pid for it; that one of ours was killed the counter tells.
  const counted = death.signal === 'SIGKILL' && hasKilledHere(traces)
  for (const sign of traces.signs) {
    if (sign.kind !== 'oom-kill') continue
    if (!isAbout(sign, death) && !(counted && isJustBefore(sign, death))) continue
    const told = traces.signs.flatMap((other) =>
      other.kind === 'oom-scope' && other.pid === sign.pid && isInWindow(other.atMs, death)
        ? [other]
        : [],
    )
    const scope = sign.scope ?? told[0]?.scope ?? null
    const held = sign.heldBytes === null ? '' : `, it held ${formatBytes(sign.heldBytes)}`
    const who = sign.by === 'the kernel' ? 'The Linux kernel' : sign.by
    return memoryKill(death, who, `${scopeWords(scope)}${held}`, scope, [sign.line])
  }
  return null
}

function isJustBefore(sign: NamedSign, death: Death): boolean {
  return isWithinLife(sign, death, 1000) && (sign.atMs ?? 0) >= death.diedAtMs - 5000
}

function judgeGroupKill(death: Death, { signs, group }: LinuxTraces): DeathEvidence | null {
  if (death.signal !== 'SIGKILL' || group === null) return null
  for (const sign of signs) {
    if (sign.kind !== 'group-kill' || !isInWindow(sign.atMs, death)) continue
    if (!isOurGroup(sign.group, group)) continue
    const who = sign.line.includes('OOM killer') ? 'The Linux kernel' : 'systemd-oomd'
    return memoryKill(death, who, 'memory ran short', null, [sign.line])
  }
  return null
}

/** A path holds what is below it; the name of a unit must be that of our own one. */
function isOurGroup(named: string, own: string): boolean {
  if (named.startsWith('/')) return own === named || own.startsWith(`${named}/`)
  return own.endsWith(`/${named}`)
}

function judgeCount(death: Death, traces: LinuxTraces): DeathEvidence | null {
  if (death.signal !== 'SIGKILL' || !hasKilledHere(traces)) return null
  const { oomKillsBefore, oomKillsAfter } = traces
  const line = `oom_kill of our control group: ${oomKillsBefore} before the run, ${oomKillsAfter} after`
  return memoryKill(death, 'The Linux kernel', 'memory ran out', null, [line])
}

function hasKilledHere({ oomKillsBefore, oomKillsAfter }: LinuxTraces): boolean {
  return oomKillsBefore !== null && oomKillsAfter !== null && oomKillsAfter > oomKillsBefore
}

function scopeWords(scope: OomScope | null): string {
  if (scope === null) return 'memory ran out'
  return scope === 'machine'
    ? 'the memory of this machine ran out'
    : 'its control group reached its memory limit'
}

function memoryKill(
  death: Death,
  who: string,
  why: string,
  scope: OomScope | null,
  evidence: string[],
): DeathEvidence {
  const hint =
    scope === 'group'
      ? 'Raise the memory limit of the service or container (MemoryMax, docker --memory), or lower model.contextTokens in the config'
      : 'Close other large programs, or lower model.contextTokens in the config so that the engine takes less'
  const message = `${who} killed ${death.name} (pid ${death.pid}) to get memory back: ${why}`
  return { kind: 'memory-kill', message, hint, evidence }
}

/** How the kernel words the faults that end in these signals; it writes nothing of SIGABRT. */
const faults: Record<string, RegExp> = {
  SIGSEGV: /^(?:segfault|general protection)/,
  SIGILL: /^trap invalid opcode/,
  SIGFPE: /^trap divide error/,
  SIGTRAP: /^trap int3/,
  SIGBUS: /^trap/,
}

/**
 * The kernel writes the id of the thread that faulted, which is a later one than the pid. In a crash
 * loop the lines of the runs before and after are there too: they must not pass for this one.
 */
function isThreadOf(sign: LinuxSign, death: Death): boolean {
  return (
    sign.kind === 'crash' &&
    sign.pid > death.pid &&
    isWithinLife(sign, death, 1000) &&
    faults[death.signal ?? '']?.test(sign.what) === true
  )
}

function judgeCrash(death: Death, { signs }: LinuxTraces): DeathEvidence | null {
  const crashes = signs.filter((sign) => sign.kind === 'crash')
  const crash =
    crashes.find((sign) => isAbout(sign, death)) ??
    crashes.findLast((sign) => isThreadOf(sign, death))
  const dump = signs.find((sign) => sign.kind === 'core-dump' && isAbout(sign, death))
  if (dump === undefined && crash === undefined) return null
  const what = crash?.what ?? `${String(death.signal)}, core dumped`
  return {
    kind: 'crash-report',
    message: `${death.name} (pid ${death.pid}) crashed: ${what}`,
    hint:
      dump === undefined
        ? 'If it comes again, build another engine with oss20bd build'
        : `If it comes again, send what coredumpctl info ${death.pid} shows to the llama.cpp project`,
    evidence: [crash, dump].flatMap((sign) => (sign === undefined ? [] : [sign.line])),
  }
}
