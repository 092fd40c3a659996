/** How it died and how often: start again after a delay, or give up. Pure. */

export interface RestartSettings {
  /** Delay before the second restart within the window; it doubles from there. */
  readonly baseDelayMs: number
  readonly maxDelayMs: number
  /** Deaths older than this no longer count; a run ready for this long clears them. */
  readonly windowMs: number
  /** This many deaths within the window are survived; one more gives up. 1 or more. */
  readonly maxDeaths: number
}

export type RestartVerdict =
  | { readonly kind: 'restart'; readonly delayMs: number }
  | { readonly kind: 'give-up'; readonly why: string }

/**
 * Decides what follows a death. `deathsInWindow` includes this one (1 or more); `jitter` is a random
 * number from 0 to 1 that spreads the delay by up to a fifth either way, so that many machines that
 * were hit by the same cause do not come back in step.
 *
 * The first restart is immediate: an isolated crash must cost the app the load time only.
 */
export function decideRestart(
  permanent: boolean,
  deathsInWindow: number,
  settings: RestartSettings,
  jitter: number,
): RestartVerdict {
  if (permanent) return { kind: 'give-up', why: 'trying again would end the same way' }
  if (deathsInWindow > settings.maxDeaths) {
    return { kind: 'give-up', why: `it died ${deathsInWindow} times in a short while` }
  }
  if (deathsInWindow <= 1) return { kind: 'restart', delayMs: 0 }
  const doubled = settings.baseDelayMs * 2 ** (deathsInWindow - 2)
  const spread = 0.8 + 0.4 * jitter
  return { kind: 'restart', delayMs: Math.round(Math.min(settings.maxDelayMs, doubled) * spread) }
}

/** The deaths that still count at `nowMs` (monotonic, like the times in `deathsAtMs`). */
export function recentDeaths(
  deathsAtMs: readonly number[],
  nowMs: number,
  windowMs: number,
): readonly number[] {
  return deathsAtMs.filter((atMs) => nowMs - atMs < windowMs)
}
