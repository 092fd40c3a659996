/** How it died and how often: start again after a delay, in which set-up, or give up. Pure. */
import type { EngineProfile, ExitReason } from '../engine.ts'
import { formatDuration } from '../units.ts'
import type { DeathRecord } from './engine-state.ts'

export interface RestartSettings {
  /** Delay before the second restart in a row; it doubles from there. */
  readonly baseDelayMs: number
  readonly maxDelayMs: number
  /** Deaths of runs that had been ready are forgotten after this; a run well for this long clears all. */
  readonly windowMs: number
  /** With so many deaths that count, the next run is in safe mode. 1 or more. */
  readonly safeModeAfter: number
  /** So many further deaths in safe mode are the end. 1 or more. */
  readonly giveUpAfter: number
  /** How often the context can be halved before it is too small to be of use. 0 or more. */
  readonly maxContextHalvings: number
}

export type RestartVerdict =
  | { readonly kind: 'restart'; readonly delayMs: number; readonly profile: EngineProfile }
  | { readonly kind: 'give-up'; readonly why: string }

/**
 * Decides what follows a death. `deaths` is how many count, with this one (1 or more); `jitter` is a
 * random number from 0 to 1 that spreads the delay by up to a fifth either way, so that many machines
 * that were hit by the same cause do not come back in step.
 *
 * The first restart is immediate: an isolated crash must cost the app the load time only. So is one
 * with a smaller context: its cause has been dealt with.
 */
export function decideRestart(
  reason: ExitReason,
  deaths: number,
  profile: EngineProfile,
  settings: RestartSettings,
  jitter: number,
): RestartVerdict {
  if (reason.permanent) return { kind: 'give-up', why: 'it is tried again when something changes' }
  if (deaths >= settings.safeModeAfter + settings.giveUpAfter) {
    return { kind: 'give-up', why: `it died ${deaths} times, the last ones in safe mode` }
  }
  const outOfMemory = reason.cause === 'gpu-out-of-memory'
  if (outOfMemory && !profile.safeMode && profile.contextHalvings < settings.maxContextHalvings) {
    const halved = { ...profile, contextHalvings: profile.contextHalvings + 1 }
    return { kind: 'restart', delayMs: 0, profile: halved }
  }
  const safeMode = profile.safeMode || deaths >= settings.safeModeAfter
  return {
    kind: 'restart',
    delayMs: delayAfter(deaths, settings, jitter),
    profile: { ...profile, safeMode },
  }
}

function delayAfter(deaths: number, settings: RestartSettings, jitter: number): number {
  if (deaths <= 1) return 0
  const doubled = settings.baseDelayMs * 2 ** (deaths - 2)
  const spread = 0.8 + 0.4 * jitter
  return Math.round(Math.min(settings.maxDelayMs, doubled * spread))
}

/**
 * The deaths that still count at `nowMs` (monotonic, like their times). In safe mode all do: the
 * further deaths that end it are not made fewer by coming slowly.
 */
export function deathsThatCount(
  deaths: readonly DeathRecord[],
  nowMs: number,
  safeMode: boolean,
  windowMs: number,
): readonly DeathRecord[] {
  if (safeMode) return deaths
  return deaths.filter(({ atMs, wasReady }) => !wasReady || nowMs - atMs < windowMs)
}

/** `3 deaths in 10 min`, `1 death`. */
export function countDeaths(deaths: readonly DeathRecord[], windowMs: number): string {
  const count = deaths.length === 1 ? '1 death' : `${deaths.length} deaths`
  return deaths.length > 1 ? `${count} in ${formatDuration(windowMs)}` : count
}
