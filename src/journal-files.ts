/** The journal on the disk: one event per line, read from its end, across rotated files. */
import { stat } from 'node:fs/promises'
import { errnoOf } from './errors.ts'
import type { JournalEvent } from './journal.ts'
import { closeLogEnd, logFile, openLogEnd, readBackwards, type LogEnd } from './log-files.ts'

/** `journal.log`, and `journal1.log` before it, in the folder of the logs. */
export const JOURNAL = 'journal'

/** How the daemon that wrote the journal ended, as far as it can be told afterwards. */
export interface JournalPast {
  /** null when nothing was ever written. */
  readonly lastEvent: JournalEvent | null
  /** Whether the daemon before said that it ends; null when there was none. */
  readonly endedCleanly: boolean | null
  /** The last sign of life of it, milliseconds since the epoch; null when there is none. */
  readonly lastAliveMs: number | null
}

/** Reads one line; null for one that a power loss or a full disk cut, or that another program wrote. */
export function parseJournalLine(line: string): JournalEvent | null {
  try {
    const value: unknown = JSON.parse(line)
    return isEvent(value) ? value : null
  } catch {
    return null
  }
}

/** The newest `count` events that are wanted, oldest first. Throws `state-folder`. */
export async function lastEvents(
  folder: string,
  count: number,
  isWanted: (event: JournalEvent) => boolean = () => true,
): Promise<readonly JournalEvent[]> {
  const end = await openLogEnd(folder, JOURNAL)
  try {
    return await eventsBefore(folder, end, count, isWanted)
  } finally {
    await closeLogEnd(end)
  }
}

/** As `lastEvents`, from an end that the caller opened: where following begins. */
export async function eventsBefore(
  folder: string,
  end: LogEnd,
  count: number,
  isWanted: (event: JournalEvent) => boolean,
): Promise<readonly JournalEvent[]> {
  const found: JournalEvent[] = []
  for await (const line of readBackwards(folder, end)) {
    if (found.length >= count) break
    const event = parseJournalLine(line)
    if (event !== null && isWanted(event)) found.push(event)
  }
  return found.toReversed()
}

/** Looks back, for a daemon that begins. Throws `state-folder`. */
export async function readPast(folder: string): Promise<JournalPast> {
  const [lastEvent] = await lastEvents(folder, 1)
  if (lastEvent === undefined) return { lastEvent: null, endedCleanly: null, lastAliveMs: null }
  const endedCleanly = lastEvent.kind === 'daemon-stopped'
  const toldAtMs = Date.parse(lastEvent.at)
  if (endedCleanly) return { lastEvent, endedCleanly, lastAliveMs: toldAtMs }
  // Only a living daemon writes down what its engine says, which is more often than an event.
  const engineLogMs = await changedAtMs(logFile(folder, 'engine'))
  return { lastEvent, endedCleanly, lastAliveMs: Math.max(toldAtMs, engineLogMs ?? toldAtMs) }
}

async function changedAtMs(file: string): Promise<number | null> {
  try {
    return Math.round((await stat(file)).mtimeMs)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null
    throw error
  }
}

function isEvent(value: unknown): value is JournalEvent {
  if (!isRecord(value)) return false
  const { at, kind, message, hint, facts, evidence } = value
  return (
    typeof at === 'string' &&
    !Number.isNaN(Date.parse(at)) &&
    typeof kind === 'string' &&
    typeof message === 'string' &&
    (hint === null || typeof hint === 'string') &&
    isRecord(facts) &&
    Array.isArray(evidence) &&
    evidence.every((line) => typeof line === 'string')
  )
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
