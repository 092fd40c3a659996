/** Waits for work, and no longer than it is worth. */
import type { Clock } from '../clock.ts'

/** Resolves when the work is done, `timeoutMs` have passed or `signal` aborts. */
export async function within(
  timeoutMs: number,
  work: Promise<void>,
  clock: Pick<Clock, 'sleep'>,
  signal?: AbortSignal,
): Promise<void> {
  const either = new AbortController()
  const abort = (): void => either.abort()
  signal?.addEventListener('abort', abort, { once: true })
  if (signal?.aborted === true) abort()
  const patience = clock.sleep(timeoutMs, either.signal).catch(() => undefined)
  await Promise.race([work, patience])
  signal?.removeEventListener('abort', abort)
  either.abort()
}
