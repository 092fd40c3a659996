/** Asks the engine over its socket: whether it has loaded (the fall-back), and whether it answers. */
import got, { type Got } from 'got'
import pRetry from 'p-retry'
import type { Engine } from '../engine.ts'
import { messageOf } from '../errors.ts'

/** One answer to one token may take this long: a cold 12 GB model pages in first. */
const canaryTimeoutMs = 120_000
/** A probe that accepts and never answers must not block the start. */
const healthTimeoutMs = 2000
const healthPollMs = 500

/**
 * Resolves when the health path answers 200; rejects only when `signal` aborts. Needed for engines
 * that do not announce themselves on stdout; the first look is half a second after the start.
 */
export async function untilHealthy(engine: Engine, signal: AbortSignal): Promise<void> {
  const client = clientFor(signal)
  await pRetry(
    async () => {
      const { statusCode } = await client.get(urlOf(engine, engine.healthPath), {
        timeout: { request: healthTimeoutMs },
      })
      if (statusCode !== 200) throw new Error(`status ${statusCode}`)
    },
    { retries: Number.POSITIVE_INFINITY, minTimeout: healthPollMs, factor: 1, signal },
  )
}

/** Whether the engine answered its canary; if not, how it did instead. Rejects when aborted. */
export type CanaryResult =
  | { readonly kind: 'answered' }
  | { readonly kind: 'no-answer'; readonly why: string }

/** Asks for one token, three times at most; a loaded engine that cannot answer is not ready. */
export async function askCanary(engine: Engine, signal: AbortSignal): Promise<CanaryResult> {
  const client = clientFor(signal)
  try {
    await pRetry(
      async () => {
        const { statusCode } = await client.post(urlOf(engine, engine.canary.path), {
          json: engine.canary.json,
          timeout: { request: canaryTimeoutMs },
        })
        if (statusCode !== 200) throw new Error(`it answered with status ${statusCode}`)
      },
      { retries: 2, minTimeout: 100, maxTimeout: 1000, signal },
    )
    return { kind: 'answered' }
  } catch (error) {
    signal.throwIfAborted()
    return { kind: 'no-answer', why: messageOf(error) }
  }
}

function clientFor(signal: AbortSignal): Got {
  return got.extend({
    enableUnixSockets: true,
    // p-retry is around it.
    retry: { limit: 0 },
    throwHttpErrors: false,
    signal,
    headers: { host: 'localhost', 'user-agent': 'oss20bd' },
  })
}

function urlOf(engine: Engine, path: string): string {
  return `unix:${engine.socketPath}:${path}`
}
