/** What follows one try of a request with the engine: done, again, on, or an end that says so. Pure. */

/** How the try ended. */
export type TryEnd =
  | { readonly kind: 'answered' }
  /** The engine said that it failed, and nothing of that has gone to the client. */
  | { readonly kind: 'fault'; readonly fault: 'malformed-harmony' | 'compute-error' }
  | { readonly kind: 'died'; readonly reason: string }
  /** The engine answered something that has no place behind what the client has. */
  | { readonly kind: 'unfit'; readonly reason: string }

export interface TryFacts {
  /** Some of the answer has gone to the client. */
  readonly started: boolean
  /** The body is still here. */
  readonly canResend: boolean
  /** A stream of which the client has no word of the model yet. */
  readonly canRetryStream: boolean
  /** A stream that can go on exactly where it is. */
  readonly canContinue: boolean
}

/** What has been done for this request so far. */
export interface Counts {
  /** Engines that died with it before they had answered anything. */
  readonly deaths: number
  /** Sent again because of a death or a fault. */
  readonly replays: number
  readonly continuations: number
  readonly malformed: number
}

export const noCounts: Counts = { deaths: 0, replays: 0, continuations: 0, malformed: 0 }

export type NextStep =
  | { readonly kind: 'done' }
  | { readonly kind: 'resend'; readonly counts: Counts }
  | { readonly kind: 'continue'; readonly counts: Counts }
  /** The client gets the engine's own error. */
  | { readonly kind: 'pass-fault' }
  /** Nothing has been answered: an error of ours is the answer. */
  | {
      readonly kind: 'fail'
      readonly why: 'died' | 'poison' | 'too-large'
      readonly reason: string
    }
  /** The answer has begun: its client is told that it is broken. */
  | { readonly kind: 'break'; readonly reason: string }

/** From design.md 4: sent again twice at most, continued twice at most, a broken format tried again once. */
const maxReplays = 2
const maxContinuations = 2
const maxMalformed = 1
/** In flight at two successive deaths: it may well be their cause. */
const poisonDeaths = 2

export function nextStep(end: TryEnd, facts: TryFacts, counts: Counts): NextStep {
  switch (end.kind) {
    case 'answered':
      return { kind: 'done' }
    case 'unfit':
      return { kind: 'break', reason: end.reason }
    case 'fault':
      return afterFault(end.fault, facts, counts)
    case 'died':
      return facts.started
        ? afterBrokenStream(end.reason, facts, counts)
        : afterDeath(end.reason, facts, counts)
  }
}

function afterFault(
  fault: Extract<TryEnd, { kind: 'fault' }>['fault'],
  { started, canResend, canRetryStream, canContinue }: TryFacts,
  counts: Counts,
): NextStep {
  const goesOn = started && !canRetryStream && canContinue && fault === 'compute-error'
  if (goesOn && counts.continuations < maxContinuations) {
    return { kind: 'continue', counts: { ...counts, continuations: counts.continuations + 1 } }
  }
  const possible = started ? canRetryStream : canResend
  const malformed = counts.malformed + (fault === 'malformed-harmony' ? 1 : 0)
  if (!possible || counts.replays >= maxReplays || malformed > maxMalformed) {
    return { kind: 'pass-fault' }
  }
  return { kind: 'resend', counts: { ...counts, malformed, replays: counts.replays + 1 } }
}

function afterDeath(reason: string, { canResend }: TryFacts, before: Counts): NextStep {
  const counts = { ...before, deaths: before.deaths + 1, replays: before.replays + 1 }
  if (!canResend) return { kind: 'fail', why: 'too-large', reason }
  if (counts.deaths >= poisonDeaths) return { kind: 'fail', why: 'poison', reason }
  if (before.replays >= maxReplays) return { kind: 'fail', why: 'died', reason }
  return { kind: 'resend', counts }
}

function afterBrokenStream(reason: string, facts: TryFacts, counts: Counts): NextStep {
  if (facts.canRetryStream && counts.replays < maxReplays) {
    return { kind: 'resend', counts: { ...counts, replays: counts.replays + 1 } }
  }
  if (!facts.canContinue || counts.continuations >= maxContinuations) {
    return { kind: 'break', reason }
  }
  return { kind: 'continue', counts: { ...counts, continuations: counts.continuations + 1 } }
}
