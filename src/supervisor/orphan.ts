/** Remembers which process is our engine, and ends the one that a killed daemon left behind. */
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { errnoOf } from '../errors.ts'
import type { Clock } from '../clock.ts'
import { readProcessIdentity } from '../process-identity.ts'

interface EngineRecord {
  readonly pid: number
  readonly identity: string
}

/** Writes down the running engine, atomically. A process already gone is not written. */
export async function recordEngine(file: string, pid: number): Promise<void> {
  const identity = await readProcessIdentity(pid)
  if (identity === null) return
  const record: EngineRecord = { pid, identity }
  await writeFile(`${file}.new`, JSON.stringify(record), { mode: 0o600 })
  await rename(`${file}.new`, file)
}

export async function forgetEngine(file: string): Promise<void> {
  await rm(file, { force: true })
}

/**
 * Kills the recorded engine if that very process (pid and start time) still runs, and resolves with
 * its pid once it is gone; null when nothing was left. It is killed hard: its daemon is dead, so
 * nobody waits for its answers.
 */
export async function reapOrphan(
  file: string,
  clock: Pick<Clock, 'sleep'>,
): Promise<number | null> {
  const record = await readRecord(file)
  const alive = async (): Promise<boolean> =>
    record !== null && (await readProcessIdentity(record.pid)) === record.identity
  if (record === null || !(await alive())) {
    await forgetEngine(file)
    return null
  }
  try {
    process.kill(record.pid, 'SIGKILL')
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw error
  }
  // Not our child, so there is no exit event to wait for.
  while (await alive()) await clock.sleep(20)
  await forgetEngine(file)
  return record.pid
}

async function readRecord(file: string): Promise<EngineRecord | null> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'))
    return isRecord(value) ? value : null
  } catch {
    // Missing, cut short or garbage: nothing that could be trusted to name a process.
    return null
  }
}

function isRecord(value: unknown): value is EngineRecord {
  return (
    typeof value === 'object' &&
    value !== null &&
    'pid' in value &&
    Number.isInteger(value.pid) &&
    'identity' in value &&
    typeof value.identity === 'string'
  )
}
