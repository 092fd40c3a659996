/** Reads what the Linux kernel and its helpers logged about deaths. Pure; never throws. */
import { cleanLine, parseStampMs } from './evidence.ts'

/** Whose memory ran out: the whole machine's, or that of a control group with a limit. */
export type OomScope = 'machine' | 'group'

interface Told {
  readonly atMs: number | null
  /** Fit to be shown. */
  readonly line: string
}

interface Named extends Told {
  /** In a container: not the pid that the process has there. */
  readonly pid: number
  readonly name: string
}

export type LinuxSign =
  | (Named & {
      readonly kind: 'oom-kill'
      readonly by: 'the kernel' | 'earlyoom'
      readonly scope: OomScope | null
      readonly heldBytes: number | null
    })
  /** Goes with a kill and tells its scope. */
  | (Named & { readonly kind: 'oom-scope'; readonly scope: OomScope })
  /** The pid may be that of a thread. */
  | (Named & { readonly kind: 'crash'; readonly what: string })
  | (Named & { readonly kind: 'core-dump' })
  /** systemd-oomd ends whole groups, by path; systemd tells of a unit. */
  | (Told & { readonly kind: 'group-kill'; readonly group: string })

/**
 * Every sign in the output of `journalctl -o short-iso` or of `dmesg`. `bootMs` is the epoch at which
 * the kernel's clock was 0, for dmesg; null when unknown.
 */
export function parseLinuxLog(output: string, bootMs: number | null): LinuxSign[] {
  return output.split('\n').flatMap((line) => {
    const entry = readEntry(line.slice(0, 1000), bootMs)
    const sign = entry === null ? null : readMessage(entry)
    return sign === null ? [] : [sign]
  })
}

interface Entry {
  readonly atMs: number | null
  readonly message: string
}

function readEntry(line: string, bootMs: number | null): Entry | null {
  // "[18401.725153] text", with "<4>" before it on some systems.
  const raw = /^(?:<\d+>)?\[ *(\d+\.\d+)\] (.*)$/.exec(line)
  if (raw !== null) {
    const atMs = bootMs === null ? null : bootMs + Number(raw[1]) * 1000
    return { atMs, message: raw[2] ?? '' }
  }
  // "2026-09-28T16:10:17+0200 host kernel: text": without a zone nobody knows when it was.
  const journal = /^(\d{4}-\S+) \S+ [^\s:]+: (.*)$/.exec(line)
  if (journal !== null) return { atMs: parseStampMs(journal[1] ?? ''), message: journal[2] ?? '' }
  const dmesgIso = /^(\d{4}-\d\d-\d\dT\S+) (.*)$/.exec(line)
  if (dmesgIso === null) return null
  return { atMs: parseStampMs(dmesgIso[1] ?? ''), message: dmesgIso[2] ?? '' }
}

function readMessage(entry: Entry): LinuxSign | null {
  for (const read of [readOom, readScope, readEarlyoom, readCrash, readCoreDump, readGroupKill]) {
    const sign = read(entry)
    if (sign !== null) return sign
  }
  return null
}

/** Old kernels say the scope on the line before: "Memory cgroup out of memory: Kill process 1 (name) score ...". */
function readOom({ atMs, message }: Entry): LinuxSign | null {
  const [line, pid, name] = /\bKilled process (\d+),? (?:UID \d+, )?\(([^)]*)\)/.exec(message) ?? []
  if (line === undefined || name === undefined) return null
  const scope = oomScope(message)
  const shown = cleanLine(message)
  const held = [...message.matchAll(/\b(?:anon|file|shmem)-rss:(\d+)kB/g)]
  const heldKib = held.reduce((sum, [, kib]) => sum + Number(kib), 0)
  const heldBytes = held.length === 0 ? null : heldKib * 1024
  const kill = { kind: 'oom-kill', by: 'the kernel', pid: Number(pid), name } as const
  return { ...kill, atMs, scope, heldBytes, line: shown }
}

function readScope({ atMs, message }: Entry): LinuxSign | null {
  const told = { kind: 'oom-scope', atMs, line: cleanLine(message) } as const
  const old = /\bKill process (\d+) \(([^)]*)\)/.exec(message)
  const oldScope = oomScope(message)
  if (old !== null && oldScope !== null) {
    return { ...told, pid: Number(old[1]), name: old[2] ?? '', scope: oldScope }
  }
  const [, constraint] = /^oom-kill:constraint=CONSTRAINT_(\w+),/.exec(message) ?? []
  const [, name, pid] = /,task=([^,]*),pid=(\d+),/.exec(message) ?? []
  if (constraint === undefined || name === undefined || pid === undefined) return null
  if (constraint !== 'MEMCG' && constraint !== 'NONE') return null
  return { ...told, pid: Number(pid), name, scope: constraint === 'MEMCG' ? 'group' : 'machine' }
}

function oomScope(message: string): OomScope | null {
  if (/^Memory cgroup out of memory\b/.test(message)) return 'group'
  return /^Out of memory\b/.test(message) ? 'machine' : null
}

/** Its line may go on with the command line of the process, which is not for us. */
function readEarlyoom({ atMs, message }: Entry): LinuxSign | null {
  const [line, pid, name] =
    /(?:sending SIG(?:TERM|KILL) to|killing) process (\d+) (?:uid \d+ )?"([^"]*)"/.exec(message) ??
    []
  if (line === undefined || name === undefined) return null
  const [, mib] = /\bVmRSS (\d+) MiB/.exec(message) ?? []
  const heldBytes = mib === undefined ? null : Number(mib) * 2 ** 20
  const kill = { kind: 'oom-kill', by: 'earlyoom', scope: 'machine' } as const
  return { ...kill, pid: Number(pid), name, atMs, heldBytes, line: cleanLine(line) }
}

function readCrash({ atMs, message }: Entry): LinuxSign | null {
  const [, name, pid, what] =
    /^(?:traps: )?([^[]+)\[(\d+)\]:? ((?:segfault|trap|general protection)\b.*)$/.exec(message) ??
    []
  if (name === undefined || what === undefined) return null
  return {
    kind: 'crash',
    pid: Number(pid),
    name,
    what: crashWords(what),
    atMs,
    line: cleanLine(message),
  }
}

/** "segfault at 10 ip ... error 6 in llama-server[...]" to "segfault at 10 in llama-server". */
function crashWords(what: string): string {
  const [event = what] =
    /^(?:segfault at \w+|trap [\w ]*\w|general protection\b[\w ]*\w)(?= ip\b)/.exec(what) ?? []
  const [, place] = / in ([^\s[]+)\[/.exec(what) ?? []
  return cleanLine(place === undefined ? event : `${event} in ${place}`)
}

function readCoreDump({ atMs, message }: Entry): LinuxSign | null {
  const [line, pid, name] = /^Process (\d+) \(([^)]*)\) of user \d+ dumped core/.exec(message) ?? []
  if (line === undefined || name === undefined) return null
  return { kind: 'core-dump', pid: Number(pid), name, atMs, line: cleanLine(line) }
}

function readGroupKill({ atMs, message }: Entry): LinuxSign | null {
  const path = /^Killed (\/\S+) due to /.exec(message)?.[1]
  const unit =
    /^(\S+): systemd-oomd killed \d+ process/.exec(message)?.[1] ??
    /^(\S+): A process of this unit has been killed by the OOM killer/.exec(message)?.[1]
  const group = path ?? unit
  return group === undefined ? null : { kind: 'group-kill', group, atMs, line: cleanLine(message) }
}
