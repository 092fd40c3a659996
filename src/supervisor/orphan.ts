/** Remembers which process is our engine, and ends the one that a killed daemon left behind. */
import { constants, renameSync } from 'node:fs'
import { open, rm, writeFile } from 'node:fs/promises'
import type { Clock } from '../clock.ts'
import { errnoOf, messageOf } from '../errors.ts'
import type { NewJournalEvent } from '../journal.ts'
import { isSameProcess, readProcessIdentity, type RecordedProcess } from '../process-identity.ts'
import {
  descendantsOf,
  killRecorded,
  killTree,
  untilGone,
  type KillReport,
} from '../process-tree.ts'
import { formatDuration } from '../units.ts'

interface EngineRecord extends RecordedProcess {
  /** What it had started itself: a script as `engine.path` starts the real engine. */
  readonly descendants: readonly RecordedProcess[]
}

/** What became of the engine of an earlier daemon. */
export type OrphanEnd =
  | { readonly kind: 'none' }
  /** `pids`: the engine and what it had started, all gone now. */
  | { readonly kind: 'ended'; readonly pids: readonly number[] }
  /** Killed and still there after `waitedMs`: it hangs within the system. */
  | { readonly kind: 'stuck'; readonly pids: readonly number[]; readonly waitedMs: number }
  /** It runs and may not be ended by us: it belongs to another user. */
  | { readonly kind: 'not-ours'; readonly pids: readonly number[] }
  /** Whether one runs cannot be told. */
  | { readonly kind: 'unknown'; readonly reason: string }

/** Longer than this only a process takes that hangs within the system, and that can take for ever. */
const goneLimitMs = 10_000
/** A record has some hundred bytes. */
const maxRecordBytes = 64 * 1024

/**
 * Writes down the running engine, atomically. A process already gone is not written: by then the file
 * may tell of the next one. `andItsOwn`: with what it has started so far; to list processes takes long,
 * so the first record is without, or a daemon killed meanwhile leaves an engine that nobody knows.
 */
export async function recordEngine(file: string, pid: number, andItsOwn: boolean): Promise<void> {
  const identity = await readProcessIdentity(pid)
  if (identity === null) return
  const descendants = andItsOwn ? await descendantsOf(pid).catch(() => []) : []
  await writeRecord(file, { pid, identity, descendants })
}

async function writeRecord(file: string, record: EngineRecord): Promise<void> {
  const draft = `${file}.${record.pid}.new`
  try {
    await writeFile(draft, JSON.stringify(record), { mode: 0o600 })
    // In one go with the look, so that a slow record of a dead engine cannot replace the next one's.
    if (isThere(record.pid)) renameSync(draft, file)
  } finally {
    await rm(draft, { force: true })
  }
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return errnoOf(error) === 'EPERM'
  }
}

export async function forgetEngine(file: string): Promise<void> {
  await rm(file, { force: true })
}

/**
 * Kills the recorded engine, and what it has started, where that very process (pid and start time)
 * still runs. It is killed hard: its daemon is dead, so nobody waits for its answers. Waits for the
 * end, but not for ever. Never rejects.
 */
export async function endOrphan(
  file: string,
  clock: Pick<Clock, 'sleep' | 'monotonicMs'>,
): Promise<OrphanEnd> {
  try {
    const text = await readBounded(file)
    const record = text === null ? null : parseRecord(text)
    const end = record === null ? ({ kind: 'none' } as const) : await endRecorded(record, clock)
    await forgetEngine(file)
    if (text === null || record !== null) return end
    return { kind: 'unknown', reason: `${file} is damaged` }
  } catch (error) {
    return { kind: 'unknown', reason: messageOf(error) }
  }
}

async function endRecorded(
  record: EngineRecord,
  clock: Pick<Clock, 'sleep' | 'monotonicMs'>,
): Promise<OrphanEnd> {
  const { signalled, spared } = await killAll(record, clock)
  const left = await untilGone(signalled, goneLimitMs, clock)
  if (left.length > 0) return { kind: 'stuck', pids: pidsOf(left), waitedMs: goneLimitMs }
  if (spared.length > 0) return { kind: 'not-ours', pids: pidsOf(spared) }
  return signalled.length === 0 ? { kind: 'none' } : { kind: 'ended', pids: pidsOf(signalled) }
}

async function killAll(record: EngineRecord, clock: Pick<Clock, 'sleep'>): Promise<KillReport> {
  const { pid, descendants } = record
  // Under a reused pid there would be another's children.
  if (!(await isSameProcess(record))) return killRecorded(descendants)
  let engine: KillReport = { signalled: [], spared: [] }
  const kill = async (signal: NodeJS.Signals): Promise<void> => {
    engine = await killRecorded([record], signal)
  }
  const others = await killTree({ pid, known: descendants, kill }, 'SIGKILL', clock)
  return {
    signalled: [...engine.signalled, ...others.signalled],
    spared: [...engine.spared, ...others.spared],
  }
}

function pidsOf(processes: readonly RecordedProcess[]): number[] {
  return processes.map(({ pid }) => pid)
}

/** What the journal says of it; null when there was nothing. Pure. */
export function orphanEvent(end: OrphanEnd): NewJournalEvent | null {
  switch (end.kind) {
    case 'none':
      return null
    case 'ended':
      return about(end.pids, 'Ended an engine that a killed daemon had left running', null)
    case 'stuck':
      return about(
        end.pids,
        `Cannot end the engine of a killed daemon: SIGKILL has no effect on process ${end.pids.join(', ')} for ${formatDuration(end.waitedMs)}, so it hangs within the system`,
        'Its memory stays in use: restart the machine when the engine cannot start',
      )
    case 'not-ours':
      return about(
        end.pids,
        `Cannot end the engine of a killed daemon: process ${end.pids.join(', ')} belongs to another user`,
        `End it as that user: sudo kill ${end.pids.join(' ')}`,
      )
    case 'unknown':
      return {
        kind: 'orphan',
        message: `Cannot tell whether a killed daemon left an engine running: ${end.reason}`,
        hint: 'Look for a llama-server that nobody needs: ps -A -o pid,ppid,comm',
      }
  }
}

function about(pids: readonly number[], message: string, hint: string | null): NewJournalEvent {
  return { kind: 'orphan', message, hint, facts: { pids: pids.join(', ') } }
}

/** The text of the record; null when there is none. */
async function readBounded(file: string): Promise<string | null> {
  try {
    // Whatever lies in its place: a pipe must not keep us waiting for a writer.
    await using handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(maxRecordBytes))
    return buffer.toString('utf8', 0, bytesRead)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null
    throw error
  }
}

/** null for what is cut short or garbage: nothing that could be trusted to name a process. Pure. */
function parseRecord(text: string): EngineRecord | null {
  try {
    const value: unknown = JSON.parse(text)
    if (!isRecordedProcess(value)) return null
    const descendants: unknown = 'descendants' in value ? value.descendants : []
    return {
      pid: value.pid,
      identity: value.identity,
      descendants: Array.isArray(descendants) ? descendants.filter(isRecordedProcess) : [],
    }
  } catch {
    return null
  }
}

function isRecordedProcess(value: unknown): value is RecordedProcess {
  return (
    typeof value === 'object' &&
    value !== null &&
    'pid' in value &&
    Number.isSafeInteger(value.pid) &&
    // Never init nor, should a record be that wrong, ourselves.
    Number(value.pid) > 1 &&
    value.pid !== process.pid &&
    'identity' in value &&
    typeof value.identity === 'string'
  )
}
