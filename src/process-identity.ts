/** Tells a process from a later one that was given the same pid. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { errnoOf } from './errors.ts'

/** A process as it was written down: the pid is only right together with the identity. */
export interface RecordedProcess {
  readonly pid: number
  readonly identity: string
}

/**
 * A text that only this very process has, across reuse of its pid and across reboots; null when no
 * such process runs. A zombie counts as gone: it holds no memory, socket or lock any more.
 */
export async function readProcessIdentity(pid: number): Promise<string | null> {
  if (!Number.isInteger(pid) || pid <= 0) return null
  return process.platform === 'linux' ? readLinuxIdentity(pid) : readPsIdentity(pid)
}

/** True when the recorded process itself still runs. */
export async function isSameProcess({ pid, identity }: RecordedProcess): Promise<boolean> {
  return (await readProcessIdentity(pid)) === identity
}

async function readLinuxIdentity(pid: number): Promise<string | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    return linuxIdentity(stat, await readBootId())
  } catch (error) {
    // ESRCH: it went away between open and read.
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return null
    throw error
  }
}

/** The identity of the process of a `/proc/PID/stat` line; null when it is dead. Pure. */
export function linuxIdentity(stat: string, bootId: string): string | null {
  const ticks = parseStartTicks(stat)
  return ticks === null ? null : `${bootId} ${ticks}`
}

/** Ticks since boot at which the process of a `/proc/PID/stat` line started; null when it is dead. Pure. */
export function parseStartTicks(stat: string): string | null {
  // "pid (name) state ...": the name may hold spaces, brackets and newlines, so count from the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state] = fields
  if (state === 'Z' || state === 'X' || state === 'x') return null
  return fields[19] ?? null
}

/** Which boot of this machine the ticks of a Linux identity are counted from. */
export async function readBootId(): Promise<string> {
  // Some sandboxes hide it: then a reused pid is still told by its start time, save across boots.
  const id = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => 'unknown-boot')
  return id.trim()
}

/** `ps` prints start times in local time and words: without TZ and LC_ALL a journey would change every identity. */
function readPsIdentity(pid: number): Promise<string | null> {
  const args = ['-o', 'stat=', '-o', 'lstart=', '-p', String(pid)]
  const env = { LC_ALL: 'C', TZ: 'UTC' }
  return new Promise((resolve, reject) => {
    execFile('/bin/ps', args, { env, timeout: 10_000 }, (error, stdout) => {
      // Status 1 with nothing printed: no such process. Anything else must not pass for that.
      if (error !== null && (error.code !== 1 || stdout.trim() !== '')) reject(error)
      else resolve(parsePsIdentity(stdout))
    })
  })
}

/** The start time in `Ss   Sat Aug  1 17:46:44 2026`; null for nothing and for a zombie. Pure. */
export function parsePsIdentity(output: string): string | null {
  const match = /^\s*(\S+)\s+(\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4})\s*$/.exec(output)
  const [, state = 'Z', startedAt = null] = match ?? []
  return state.startsWith('Z') ? null : startedAt
}
