/** Whether an engine that is said to work still moves. Pure. */
import type { EngineCounters } from '../engine.ts'

export interface HangSettings {
  /** Work that stands still, or silence, for this long is a hang. */
  readonly hangTimeoutMs: number
  /** So long a silence makes us suspicious: it is asked for one token. */
  readonly suspectAfterMs: number
}

/** What has been seen of it so far. */
export interface Vitals {
  /** When it last moved, or had nothing to do; monotonic. */
  readonly aliveAtMs: number
  /** When it last told its counters; monotonic. */
  readonly toldAtMs: number
  readonly workSteps: number | null
}

export interface Reading {
  /** Monotonic. */
  readonly atMs: number
  /** null = it did not tell. */
  readonly counters: EngineCounters | null
}

export type HangVerdict =
  | { readonly kind: 'alive' }
  | { readonly kind: 'suspect'; readonly why: string }
  | { readonly kind: 'hung'; readonly why: string }

export function firstVitals(nowMs: number): Vitals {
  return { aliveAtMs: nowMs, toldAtMs: nowMs, workSteps: null }
}

/**
 * Takes one reading into account. Work is `requestsProcessing > 0`; it moves when `workSteps` does.
 * An engine that tells neither is alive as long as it answers: unknown is not a hang.
 */
export function watchVitals(
  before: Vitals,
  { atMs, counters }: Reading,
  settings: HangSettings,
): { readonly next: Vitals; readonly verdict: HangVerdict } {
  if (counters === null) {
    return { next: before, verdict: afterSilence(atMs - before.toldAtMs, settings) }
  }
  const { requestsProcessing, workSteps } = counters
  const working = requestsProcessing !== null && requestsProcessing > 0
  const moved = workSteps === null || workSteps !== before.workSteps
  const aliveAtMs = working && !moved ? before.aliveAtMs : atMs
  const next = { aliveAtMs, toldAtMs: atMs, workSteps }
  if (atMs - aliveAtMs < settings.hangTimeoutMs) return { next, verdict: { kind: 'alive' } }
  const requests = requestsProcessing === 1 ? 'one request' : `${requestsProcessing} requests`
  return {
    next,
    verdict: { kind: 'hung', why: `it works on ${requests}, but its counters stand still` },
  }
}

function afterSilence(silentMs: number, settings: HangSettings): HangVerdict {
  const why = 'it does not answer a question for its counters'
  if (silentMs >= settings.hangTimeoutMs) return { kind: 'hung', why }
  if (silentMs >= settings.suspectAfterMs) return { kind: 'suspect', why }
  return { kind: 'alive' }
}
