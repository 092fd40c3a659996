/** A process and all that come from it: found by their parents, ended one by one, each only while it is still itself. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from './clock.ts'
import { errnoOf } from './errors.ts'
import {
  isSameProcess,
  linuxIdentity,
  parsePsIdentity,
  readBootId,
  type RecordedProcess,
} from './process-identity.ts'

/** A live process in the system's list. */
export interface ListedProcess extends RecordedProcess {
  readonly parentPid: number
}

/** All that come from `pid`, parents before their children. Rejects when processes cannot be listed. */
export async function descendantsOf(pid: number): Promise<RecordedProcess[]> {
  return descendantsIn(await listProcesses(process.platform), pid)
}

/** All that come from `root` in a list, parents before their children. Pure. */
export function descendantsIn(list: readonly ListedProcess[], root: number): RecordedProcess[] {
  const children = new Map<number, ListedProcess[]>()
  for (const listed of list) {
    const siblings = children.get(listed.parentPid)
    if (siblings === undefined) children.set(listed.parentPid, [listed])
    else siblings.push(listed)
  }
  const found: RecordedProcess[] = []
  const seen = new Set([root])
  const parents = [root]
  // The list is no snapshot: with a pid reused meanwhile it may even hold a circle.
  for (const parent of parents) {
    for (const { pid, identity } of children.get(parent) ?? []) {
      if (seen.has(pid)) continue
      seen.add(pid)
      parents.push(pid)
      found.push({ pid, identity })
    }
  }
  return found
}

export interface TreeRoot {
  readonly pid: number
  /** Descendants written down earlier: once their parent is dead nobody can find them. */
  readonly known: readonly RecordedProcess[]
  /** Signals the root itself; it must know that the pid is still the root's. */
  readonly kill: (signal: NodeJS.Signals) => void | Promise<void>
}

export interface KillReport {
  /** Those that got the signal, without the root. */
  readonly signalled: readonly RecordedProcess[]
  /** Those that live on for all we know: another user's, or of an identity that could not be read. */
  readonly spared: readonly RecordedProcess[]
}

/** A list of processes that takes longer than this is not waited for: the root must die all the same. */
const listTimeoutMs = 500

/**
 * Signals `root` and all that come from it. They are written down before the root gets its signal,
 * because a dead parent has no children any more. Never rejects.
 */
export async function killTree(
  root: TreeRoot,
  signal: NodeJS.Signals,
  clock: Pick<Clock, 'sleep'>,
): Promise<KillReport> {
  // Stopped at once, it starts nothing more while the others are looked for.
  if (signal === 'SIGKILL') await root.kill('SIGSTOP')
  const members = await findMembers(root, clock)
  await root.kill(signal)
  return killRecorded(members, signal)
}

/** The descendants of `root` now, and those known earlier; only the latter when they cannot be listed in time. */
async function findMembers(
  root: TreeRoot,
  clock: Pick<Clock, 'sleep'>,
): Promise<readonly RecordedProcess[]> {
  const listing = descendantsOf(root.pid).catch(() => [])
  const present = (await withinTime(listing, listTimeoutMs, clock)) ?? []
  const unlisted = root.known.filter(
    (known) =>
      !present.some(({ pid, identity }) => pid === known.pid && identity === known.identity),
  )
  return [...present, ...unlisted]
}

/** What `work` gives, or null when that takes longer than `limitMs`. */
export async function withinTime<T>(
  work: Promise<T>,
  limitMs: number,
  clock: Pick<Clock, 'sleep'>,
): Promise<T | null> {
  const done = new AbortController()
  const late = clock.sleep(limitMs, done.signal).then(
    () => null,
    () => null,
  )
  const result = await Promise.race([work, late])
  done.abort()
  return result
}

/** Signals each that is still the process written down, in their order. Never rejects. */
export async function killRecorded(
  processes: readonly RecordedProcess[],
  signal: NodeJS.Signals = 'SIGKILL',
): Promise<KillReport> {
  const signalled: RecordedProcess[] = []
  const spared: RecordedProcess[] = []
  for (const recorded of processes) {
    try {
      if (!(await isSameProcess(recorded))) continue
      process.kill(recorded.pid, signal)
      signalled.push(recorded)
    } catch (error) {
      if (errnoOf(error) !== 'ESRCH') spared.push(recorded)
    }
  }
  return { signalled, spared }
}

/** Waits until all of them are gone, or `limitMs` are over; resolves with those that are left. Never rejects. */
export async function untilGone(
  processes: readonly RecordedProcess[],
  limitMs: number,
  clock: Pick<Clock, 'sleep' | 'monotonicMs'>,
): Promise<readonly RecordedProcess[]> {
  const endMs = clock.monotonicMs() + limitMs
  let left = await stillThere(processes)
  // Not our children, so there is no exit event to wait for.
  for (let waitMs = 10; left.length > 0 && clock.monotonicMs() < endMs; waitMs += 10) {
    await clock.sleep(Math.min(waitMs, 200))
    left = await stillThere(left)
  }
  return left
}

async function stillThere(
  processes: readonly RecordedProcess[],
): Promise<readonly RecordedProcess[]> {
  // What cannot be read counts as there: the limit ends the wait.
  const there = await Promise.all(
    processes.map((recorded) => isSameProcess(recorded).catch(() => true)),
  )
  return processes.filter((_, index) => there[index])
}

/** Every live process that this user may see. */
export function listProcesses(platform: NodeJS.Platform): Promise<ListedProcess[]> {
  return platform === 'linux' ? listProc() : listPs()
}

/** So many files are read before others get their turn: about half a millisecond. */
const readAtOnce = 32

async function listProc(): Promise<ListedProcess[]> {
  const bootId = await readBootId()
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const found: ListedProcess[] = []
  for (const [index, pid] of pids.entries()) {
    if (index % readAtOnce === readAtOnce - 1) await nextTurn()
    // Not through the thread pool: the kernel has the text ready, and the way there and back costs ten times as much.
    const listed = parseStat(readStat(pid), bootId)
    if (listed !== null) found.push(listed)
  }
  return found
}

/** Empty for a process that has gone meanwhile. */
function readStat(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return ''
  }
}

/** One `/proc/PID/stat`; null for a dead process and for what is cut short. Pure. */
export function parseStat(stat: string, bootId: string): ListedProcess | null {
  const pid = Number.parseInt(stat, 10)
  const parentPid = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? Number.NaN)
  const identity = linuxIdentity(stat, bootId)
  return identity === null || !isPid(pid) || !isPid(parentPid) ? null : { pid, parentPid, identity }
}

/** Without TZ and LC_ALL the start times would be in local time and words, and no identity. */
function listPs(): Promise<ListedProcess[]> {
  // One -o each: to some a list after the first `=` is the heading of one column.
  const args = ['-A', '-o', 'pid=', '-o', 'ppid=', '-o', 'stat=', '-o', 'lstart=']
  const options = { env: { LC_ALL: 'C', TZ: 'UTC' }, timeout: 10_000, maxBuffer: 16 * 2 ** 20 }
  return new Promise((resolve, reject) => {
    execFile('/bin/ps', args, options, (error, stdout) => {
      if (error === null) resolve(parsePsList(stdout))
      else reject(error)
    })
  })
}

/** Lines like `  542     1 Ss   Sat Aug  1 17:48:22 2026`; others and zombies are left out. Pure. */
export function parsePsList(output: string): ListedProcess[] {
  return output.split('\n').flatMap((line) => {
    const match = /^\s*(\d+)\s+(\d+)\s+(\S.*)$/.exec(line)
    const identity = parsePsIdentity(match?.[3] ?? '')
    const [pid, parentPid] = [Number(match?.[1]), Number(match?.[2])]
    return identity !== null && isPid(pid) && isPid(parentPid) ? [{ pid, parentPid, identity }] : []
  })
}

/** 0 is the kernel, the parent of the first processes. */
function isPid(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}
