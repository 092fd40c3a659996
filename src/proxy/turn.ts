/** Waits for a request's turn with the engine, and no longer than the engine is worth waiting for. */
import type { Admitted, Entry, Gate } from './admission/gate.ts'
import { Hold, type HoldOptions } from './hold.ts'
import type { OwnError } from './own-answer.ts'
import { notForwarded, queueFull } from './refusals.ts'

export type Turn =
  | Admitted
  | { readonly kind: 'aborted' }
  | { readonly kind: 'refused' | 'failed'; readonly error: OwnError }

/** For a request that has to wait: `enterNow` has let nobody in. */
export async function waitForTurn(
  gate: Gate,
  ticket: Parameters<Gate['enter']>[0],
  hold: HoldOptions,
): Promise<Turn> {
  const leaving = new AbortController()
  const signal = AbortSignal.any([hold.signal, leaving.signal])
  const entering = gate.enter(ticket, signal).catch(() => null)
  const first = await Promise.race([entering, untilHopeless({ ...hold, signal })])
  leaving.abort()
  if (first !== null && 'error' in first) {
    // Its turn may have come in this very moment: the slot must not be lost.
    const late = await entering
    if (late?.kind === 'in') late.release(null)
    return first
  }
  return turnOf(first)
}

function turnOf(entry: Entry | null): Turn {
  if (entry === null) return { kind: 'aborted' }
  return entry.kind === 'in' ? entry : { kind: 'refused', error: queueFull(entry) }
}

/** Resolves only when the engine turns out not to come; null when nobody waits any more. */
async function untilHopeless(
  options: HoldOptions,
): Promise<{ readonly kind: 'failed'; readonly error: OwnError } | null> {
  for (;;) {
    const end = await new Hold(options).wait()
    if (end.kind === 'aborted') return null
    if (end.kind !== 'ready') return { kind: 'failed', error: notForwarded(end) }
    const isChanged = await options.source.changed(options.signal).then(
      () => true,
      () => false,
    )
    if (!isChanged) return null
  }
}
