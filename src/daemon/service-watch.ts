/** Keeps the service manager told: that the port listens, what the engine does, that the daemon lives, that it ends. */
import type { Clock } from '../clock.ts'
import type { Logger } from '../log.ts'
import type { ServiceMessage, ServiceNotify } from '../host/service-notify.ts'
import { deservesMoreTime, deservesPing } from '../host/watchdog-policy.ts'
import type { Supervisor } from '../supervisor/supervisor.ts'
import type { SupervisorView } from '../supervisor/supervisor-options.ts'
import { describeEngine } from './status.ts'

export interface ServiceWatchOptions {
  readonly notify: ServiceNotify
  readonly supervisor: Pick<Supervisor, 'view' | 'changed'>
  /** How long a stop of the engine may take by its graces together. */
  readonly stopLimitMs: number
  readonly restartWindowMs: number
  /** The system's own: a tick that came late must come at once. */
  readonly clock: Pick<Clock, 'sleep'>
  /** Time in which this process could run. */
  readonly awakeMs: () => number
  readonly log: Pick<Logger, 'error'>
}

export interface ServiceWatch {
  /** The public port listens: the service counts as started. Begins to watch. */
  ready(): void
  /** The daemon has begun to end. */
  stopping(): void
  /** Resolves when nothing is told any more. Never rejects. */
  close(): Promise<void>
}

/** Three chances to be in time. */
const PINGS_PER_WATCHDOG = 3
const LONGEST_TICK_MS = 10_000
const MORE_TIME_MS = 30_000

export function createServiceWatch(options: ServiceWatchOptions): ServiceWatch {
  return new Watch(options)
}

class Watch implements ServiceWatch {
  readonly #options: ServiceWatchOptions
  readonly #ending = new AbortController()
  #loops: Promise<unknown> = Promise.resolve()
  #stoppingSinceMs: number | null = null
  #statusText = ''
  #withheld = false

  constructor(options: ServiceWatchOptions) {
    this.#options = options
  }

  ready(): void {
    this.#options.notify.tell({ kind: 'ready' }, ...this.#signs(), ...this.#status())
    this.#loops = Promise.all([this.#tick(), this.#follow()])
  }

  stopping(): void {
    this.#stoppingSinceMs = this.#options.awakeMs()
    this.#options.notify.tell({ kind: 'stopping' }, ...this.#signs(), ...this.#status())
  }

  async close(): Promise<void> {
    this.#ending.abort()
    await this.#loops
    await this.#options.notify.close()
  }

  /** Its coming round is what proves that the event loop turns. */
  async #tick(): Promise<void> {
    const { clock, notify } = this.#options
    const everyMs = Math.min(LONGEST_TICK_MS, (notify.watchdogMs ?? Infinity) / PINGS_PER_WATCHDOG)
    while (await goesOn(clock.sleep(everyMs, this.#ending.signal))) {
      notify.tell(...this.#signs(), ...this.#status())
    }
  }

  async #follow(): Promise<void> {
    const { supervisor, notify } = this.#options
    while (await goesOn(supervisor.changed(this.#ending.signal))) notify.tell(...this.#status())
  }

  /** Of life, and of a stop that goes on. */
  #signs(): readonly ServiceMessage[] {
    const { notify, stopLimitMs, awakeMs } = this.#options
    if (this.#stoppingSinceMs !== null) {
      const isWorthIt = deservesMoreTime(awakeMs() - this.#stoppingSinceMs, stopLimitMs)
      return isWorthIt ? [{ kind: 'more-time', durationMs: MORE_TIME_MS }] : []
    }
    return notify.watchdogMs !== null && this.#isWell() ? [{ kind: 'alive' }] : []
  }

  #isWell(): boolean {
    const { supervisor, awakeMs, stopLimitMs, log } = this.#options
    const moment = watchdogMoment(supervisor.view(), awakeMs())
    const isWell = deservesPing(moment, stopLimitMs)
    if (!isWell && !this.#withheld) {
      log.error('the stop of the engine never ends: systemd is let end this daemon', {
        stoppingForMs: moment.stoppingForMs,
      })
    }
    this.#withheld = !isWell
    return isWell
  }

  /** Only when it is news. */
  #status(): readonly ServiceMessage[] {
    const { supervisor, awakeMs, restartWindowMs } = this.#options
    const view = supervisor.view()
    const text = `${view.life.state.kind}: ${describeEngine(view, awakeMs(), restartWindowMs)}`
    if (text === this.#statusText) return []
    this.#statusText = text
    return [{ kind: 'status', text }]
  }
}

function watchdogMoment(
  { life, sinceMs, lastStop }: SupervisorView,
  nowMs: number,
): Parameters<typeof deservesPing>[0] {
  const { state } = life
  if (state.kind !== 'stopping') return { stoppingForMs: null, isKnownStuck: false }
  const isKnownStuck = lastStop?.runId === state.runId && lastStop.endedBy === 'stuck'
  return { stoppingForMs: nowMs - sinceMs, isKnownStuck }
}

/** False when the wait was aborted, the only way in which it fails. */
async function goesOn(wait: Promise<unknown>): Promise<boolean> {
  return wait.then(
    () => true,
    () => false,
  )
}
