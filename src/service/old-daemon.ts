/** The steps that deal with a daemon that runs before the service's own takes its place. Pure. */
import type { Found, ServiceSpec } from './service.ts'
import type { Step } from './step.ts'

/** An end, a start and the way back at their slowest. */
const HAND_OVER_LIMIT_MS = 300_000

/** What is asked from now on is held for the next daemon, whichever that is. */
export const HAND_OVER: Step = { kind: 'hand-over', limitMs: HAND_OVER_LIMIT_MS }

/** Nothing when none can be there. */
export function handOver({ loaded, backgroundPid }: Found): readonly Step[] {
  return loaded || backgroundPid !== null ? [HAND_OVER] : []
}

/** The service, which does not run, takes the place of one that does. */
export function replaceBackground(spec: ServiceSpec, found: Found): readonly Step[] {
  return found.backgroundPid === null ? [] : [HAND_OVER, ...endBackground(spec, found)]
}

/** Another one, that `oss20bd start` made. */
export function endBackground(spec: ServiceSpec, { backgroundPid }: Found): readonly Step[] {
  const limitMs = spec.stopLimitMs
  return backgroundPid === null ? [] : [{ kind: 'end-background', pid: backgroundPid, limitMs }]
}
