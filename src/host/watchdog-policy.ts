/** When the service manager may be told that the daemon is alive, and when a stop may go on. Pure. */

export interface WatchdogMoment {
  /** How long the engine has been in the state `stopping`; null in any other state. Time of standstill left out. */
  readonly stoppingForMs: number | null
  /** The supervisor itself has found that not even SIGKILL ends the engine, and says so. */
  readonly isKnownStuck: boolean
}

/** Beyond all graces together: a machine short of memory is slow in everything. */
const SLACK_MS = 30_000

/**
 * That this is asked at all shows that the event loop turns. What is left to judge is the engine's
 * life: a stop that outlasts every grace is a supervisor that has lost its way, and only a new daemon
 * helps. One that knows why (a process stuck in the kernel) goes on: a new daemon could do no more.
 */
export function deservesPing(moment: WatchdogMoment, stopLimitMs: number): boolean {
  const { stoppingForMs, isKnownStuck } = moment
  return isKnownStuck || stoppingForMs === null || stoppingForMs <= stopLimitMs + SLACK_MS
}

/** While the whole daemon stops: whether more time is worth asking for. */
export function deservesMoreTime(daemonStoppingForMs: number, stopLimitMs: number): boolean {
  return daemonStoppingForMs <= stopLimitMs + SLACK_MS
}
