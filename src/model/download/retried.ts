/** Tries again what may go better the next time. */
import pRetry from 'p-retry'
import type { Logger } from '../../log.ts'
import { DownloadError } from './download-error.ts'
import type { PullLimits } from './limits.ts'
import type { Network } from './network.ts'

const MAX_RETRY_DELAY_MS = 30_000

export interface RetryOptions {
  readonly limits: Pick<PullLimits, 'retries' | 'firstRetryDelayMs'>
  readonly log: Pick<Logger, 'warn'>
  readonly network: Pick<Network, 'clock'>
  readonly signal: AbortSignal
  readonly hasProgress: () => boolean
  /** How many further attempts there may be in all, as known now. */
  readonly retries: () => number
}

/** Tries again what may go better; a pause the server asks for is kept. */
export async function retried<T>(work: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { limits, log, network, signal } = options
  return pRetry(work, {
    retries: limits.retries,
    minTimeout: limits.firstRetryDelayMs,
    maxTimeout: MAX_RETRY_DELAY_MS,
    randomize: true,
    signal,
    onFailedAttempt: async ({ error, attemptNumber, retriesLeft }) => {
      if (!isPassing(error) || retriesLeft === 0) return
      log.warn('download interrupted', { attemptNumber, reason: error.message })
      // Also before an attempt that costs none: a lane that is refused while others go on must not hammer.
      const askedMs = error instanceof DownloadError ? error.retryAfterMs : null
      await network.clock.sleep(askedMs ?? limits.firstRetryDelayMs, signal)
    },
    shouldConsumeRetry: () => !options.hasProgress(),
    shouldRetry: ({ error, retriesConsumed }) =>
      isPassing(error) && retriesConsumed < options.retries(),
  })
}

function isPassing(error: unknown): boolean {
  return error instanceof DownloadError && error.outlook === 'again'
}
