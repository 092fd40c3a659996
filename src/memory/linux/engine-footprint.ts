/** What the engine takes on Linux: its fair share, counted seldom because that is dear, and moved on in between by cheap counters. */
import type { Clock } from '../../clock.ts'
import { errnoOf } from '../../errors.ts'
import { type Answer, andThen, known, knownOr, unknown } from '../answer.ts'
import { askTool } from '../common-sources.ts'
import type { SystemDoors } from '../platform-memory.ts'
import { parseResident, parseShare } from './process-memory.ts'

/** From one count to the next: at least this, and so long that counting takes a thousandth of the time. */
const countEveryMs = 60_000
const restPerWork = 1000

interface Count {
  readonly pid: string
  readonly shareBytes: number
  /** At the same time. */
  readonly residentBytes: number
  readonly nextAtMs: number
}

/** A count that takes longer is given up. */
const countDeadlineMs = 10_000

/**
 * The kernel walks all page tables of the engine for its share: 12 GB in pages of 4 KiB are three million entries and
 * half a second of CPU. That is left to a process of its own, so that it holds up no thread of the daemon. What the
 * engine takes or gives back between two counts is its own, so the cheap counters tell it exactly; only pages that it
 * begins or ceases to share with others are seen at the next count.
 */
export function createFootprintReader(
  doors: Pick<SystemDoors, 'readText' | 'runTool'>,
  clock: Pick<Clock, 'monotonicMs'>,
): (pid: string, signal: AbortSignal) => Promise<Answer<number>> {
  let last: Answer<Count> = unknown('it has not been counted yet')
  return async (pid, signal) => {
    try {
      const residentBytes = parseResident(await doors.readText(`/proc/${pid}/status`))
      if (residentBytes === null) return unknown('the engine has just ended')
      if (isDue(last, pid, clock.monotonicMs())) {
        const startedAtMs = clock.monotonicMs()
        const share = await countShare(pid, signal, doors)
        const endedAtMs = clock.monotonicMs()
        const restMs = Math.max(countEveryMs, (endedAtMs - startedAtMs) * restPerWork)
        last = andThen(share, (shareBytes) =>
          known({ pid, shareBytes, residentBytes, nextAtMs: endedAtMs + restMs }),
        )
      }
      return andThen(last, (count) =>
        known(Math.max(0, count.shareBytes + residentBytes - count.residentBytes)),
      )
    } catch (error) {
      return unknown(reasonOf(error))
    }
  }
}

function isDue(last: Answer<Count>, pid: string, nowMs: number): boolean {
  return last.kind === 'unknown' || last.value.pid !== pid || nowMs >= last.value.nextAtMs
}

function countShare(
  pid: string,
  signal: AbortSignal,
  doors: Pick<SystemDoors, 'runTool'>,
): Promise<Answer<number>> {
  return askTool(doors, 'cat', [`/proc/${pid}/smaps_rollup`], {
    deadlineMs: countDeadlineMs,
    signal,
    read: (stdout) => knownOr(parseShare(stdout), 'the kernel does not tell what the engine takes'),
  })
}

function reasonOf(error: unknown): string {
  const errno = errnoOf(error)
  if (errno === 'ENOENT' || errno === 'ESRCH') return 'the engine has just ended'
  return `the kernel does not let us see what the engine takes: ${errno ?? String(error)}`
}
