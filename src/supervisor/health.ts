/** Asks the engine over its socket: whether it has loaded (the fall-back), answers, and what it counts. */
import got, { type Got, TimeoutError } from 'got'
import pRetry from 'p-retry'
import type { Engine, EngineCounters } from '../engine.ts'
import { messageOf } from '../errors.ts'
import { overSocket } from '../unix-socket.ts'

/** One answer to one token may take this long at the start: a cold 12 GB model pages in first. */
const firstTokenTimeoutMs = 120_000
/** A probe that accepts and never answers must not block the start. */
const healthTimeoutMs = 2000
const healthPollMs = 500
/** The record before a kill must not delay the kill. */
const slotsTimeoutMs = 1000

/**
 * Resolves when the health path answers 200; rejects only when `signal` aborts. Needed for engines
 * that do not announce themselves on stdout; the first look is half a second after the start.
 */
export async function untilHealthy(engine: Engine, signal: AbortSignal): Promise<void> {
  const client = clientFor(engine, signal)
  await pRetry(
    async () => {
      const { statusCode } = await client.get(urlOf(engine.healthPath), {
        timeout: { request: healthTimeoutMs },
      })
      if (statusCode !== 200) throw new Error(`status ${statusCode}`)
    },
    { retries: Number.POSITIVE_INFINITY, minTimeout: healthPollMs, factor: 1, signal },
  )
}

/** What a question for one token came to. */
export type TokenResult =
  | { readonly kind: 'answered' }
  /** It answered, with an error. */
  | { readonly kind: 'refused'; readonly why: string }
  /** `isLate`: it took the question and its time was up; else there was nobody to take it. */
  | { readonly kind: 'no-answer'; readonly why: string; readonly isLate: boolean }

/** Asks for one token, once. Rejects when aborted. */
export async function askOneToken(
  engine: Engine,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<TokenResult> {
  try {
    const { statusCode } = await clientFor(engine, signal).post(urlOf(engine.canary.path), {
      json: engine.canary.json,
      timeout: { request: timeoutMs },
    })
    if (statusCode === 200) return { kind: 'answered' }
    return { kind: 'refused', why: `it answered with status ${statusCode}` }
  } catch (error) {
    signal.throwIfAborted()
    const isLate = error instanceof TimeoutError
    const why = isLate ? `no token within ${timeoutMs / 1000} s` : messageOf(error)
    return { kind: 'no-answer', why, isLate }
  }
}

/** Asks for the first token, three times at most; a loaded engine that cannot answer is not ready. */
export async function askFirstToken(engine: Engine, signal: AbortSignal): Promise<TokenResult> {
  try {
    return await pRetry(
      async () => {
        const result = await askOneToken(engine, firstTokenTimeoutMs, signal)
        if (result.kind === 'answered') return result
        throw new Error(result.why)
      },
      { retries: 2, minTimeout: 100, maxTimeout: 1000, signal },
    )
  } catch (error) {
    signal.throwIfAborted()
    return { kind: 'no-answer', why: messageOf(error), isLate: true }
  }
}

/** Its counters now, or null when it does not tell them within `timeoutMs`. Never rejects. */
export async function readCounters(
  engine: Engine,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<EngineCounters | null> {
  const text = await readText(engine, engine.countersPath, timeoutMs, signal)
  return text === null ? null : engine.readCounters(text)
}

/** What each of its slots does, as it says it; null when it does not. Never rejects. */
export function readSlots(engine: Engine, signal: AbortSignal): Promise<string | null> {
  return readText(engine, engine.slotsPath, slotsTimeoutMs, signal)
}

async function readText(
  engine: Engine,
  path: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<string | null> {
  try {
    const { statusCode, body } = await clientFor(engine, signal).get(urlOf(path), {
      timeout: { request: timeoutMs },
    })
    return statusCode === 200 ? body : null
  } catch {
    return null
  }
}

function clientFor({ socketPath }: Engine, signal: AbortSignal): Got {
  return got.extend({
    ...overSocket(socketPath),
    // p-retry is around it.
    retry: { limit: 0 },
    throwHttpErrors: false,
    signal,
    headers: { 'user-agent': 'oss20bd' },
  })
}

/** Who answers there is settled by the socket. */
function urlOf(path: string): string {
  return `http://localhost${path}`
}
