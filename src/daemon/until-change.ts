/** Waits for the next change of one thing or another. */
import type { Clock } from '../clock.ts'

interface Changing {
  changed(signal: AbortSignal): Promise<void>
}

/** Resolves at the next change of either; rejects when `signal` aborts. */
export async function eitherChanged(
  one: Changing,
  other: Changing,
  signal: AbortSignal,
): Promise<void> {
  const done = new AbortController()
  const waiting = AbortSignal.any([done.signal, signal])
  const changes = [one.changed(waiting), other.changed(waiting)]
  try {
    await Promise.race(changes)
  } finally {
    done.abort()
    for (const change of changes) change.catch(() => undefined)
  }
}

/** Resolves at the next change or after `delayMs` (Infinity: at the change); rejects when `signal` aborts. */
export async function changeOr(
  changed: (signal: AbortSignal) => Promise<void>,
  delayMs: number,
  clock: Pick<Clock, 'sleep'>,
  signal: AbortSignal,
): Promise<void> {
  const either = new AbortController()
  const waiting = AbortSignal.any([either.signal, signal])
  const change = changed(waiting)
  try {
    await Promise.race(delayMs === Infinity ? [change] : [change, clock.sleep(delayMs, waiting)])
  } finally {
    either.abort()
    change.catch(() => undefined)
  }
}
