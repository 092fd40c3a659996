/** What the parts of death evidence share: the types, and when a record fits a death. Pure. */
import type { Clock } from '../clock.ts'

/** The end of a process of ours that we did not ask for. Times are since the epoch. */
export interface Death {
  readonly pid: number
  /** The base name of its program. */
  readonly name: string
  /** null when it exited by itself. */
  readonly signal: string | null
  readonly startedAtMs: number
  readonly diedAtMs: number
}

type DeathEvidenceKind =
  /** A record names our process: it was killed to get memory back. */
  | 'memory-kill'
  /** No record names it, but the system was short of memory in those minutes. */
  | 'memory-shortage'
  /** The system wrote down how it crashed. */
  | 'crash-report'
  /** Looked and found nothing, which proves nothing. */
  | 'nothing-found'

export interface DeathEvidence {
  readonly kind: DeathEvidenceKind
  /** One sentence without a full stop. */
  readonly message: string
  readonly hint: string | null
  /** Lines that show it; they name no process but ours. */
  readonly evidence: readonly string[]
}

/** The doors to the system; none rejects, null = not readable, not there, or too late. */
export interface HostReaders {
  readonly homeFolder: string
  listFolder(path: string): Promise<readonly string[] | null>
  modifiedAtMs(path: string): Promise<number | null>
  /** Up to some MiB from its beginning. */
  readText(path: string): Promise<string | null>
  /** What it printed until it ended or the deadline was over. */
  run(
    file: string,
    args: readonly string[],
    deadlineMs: number,
    signal: AbortSignal,
  ): Promise<string | null>
  /** The clock of the kernel's own log lines, without sleep. */
  kernelUptimeMs(): number | null
}

export interface EvidenceDeps {
  readonly platform: NodeJS.Platform
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly readers: HostReaders
  /** `readOomKillCount()` from before the run. */
  readonly oomKillsBefore: number | null
}

/** Records are matched this far around a death: they are written late, and clocks differ. */
export const windowMs = 120_000

/** Whether a record of that time can be about it; one without a time proves nothing. */
export function isInWindow(atMs: number | null, death: Death): boolean {
  if (atMs === null) return false
  // One from before its start is about an earlier holder of the pid. The log counts whole seconds.
  const fromMs = Math.max(death.diedAtMs - windowMs, death.startedAtMs - 2000)
  return atMs >= fromMs && atMs <= death.diedAtMs + windowMs
}

/** Kernels keep the first 15 characters only. */
export function isSameName(recorded: string, name: string): boolean {
  return recorded.slice(0, 15) === name.slice(0, 15)
}

const stampPattern =
  /(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:[.,](\d{1,3})\d*)? ?(?:(Z)|([+-]\d\d):?(\d\d))/

/**
 * The epoch of a date with a zone, as `.ips` files (`2026-09-29 17:13:21.00 +0530`), `log show` and
 * `journalctl -o short-iso` write it; null without a zone: nobody knows then when it was.
 */
export function parseStampMs(text: string): number | null {
  const [, date, time, fraction = '0', zulu, hours, minutes] = stampPattern.exec(text) ?? []
  if (date === undefined || time === undefined) return null
  const zone = zulu ?? `${hours ?? '+00'}:${minutes ?? '00'}`
  const atMs = Date.parse(`${date}T${time}.${fraction.padEnd(3, '0')}${zone}`)
  return Number.isNaN(atMs) ? null : atMs
}

/** A line of somebody else's making, fit to be shown: no control characters, 300 characters at most. */
export function cleanLine(text: string): string {
  return text
    .slice(0, 300)
    .replaceAll(/\p{Cc}+/gu, ' ')
    .trim()
}

/** As `log show` and `journalctl` take a time whatever the zone: seconds since the epoch after an `@`. */
export function toUnixStamp(atMs: number): string {
  return `@${Math.floor(atMs / 1000)}`
}
