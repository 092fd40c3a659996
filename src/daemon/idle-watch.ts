/** Unloads the model when nobody has asked anything for long. */
import type { Clock } from '../clock.ts'
import type { WriteJournal } from '../journal.ts'
import type { Supervisor } from '../supervisor/supervisor.ts'
import { formatDuration } from '../units.ts'
import { changeOr } from './until-change.ts'

export interface IdleWatchOptions {
  /** Time asleep does not count: nobody could have asked. */
  readonly clock: Pick<Clock, 'monotonicMs' | 'sleep'>
  /** null: never. It may change with the config. */
  readonly unloadAfterMs: () => number | null
  readonly supervisor: Pick<Supervisor, 'view' | 'changed' | 'unload'>
  readonly journal: WriteJournal
}

export interface IdleWatch {
  /** The first request went to the engine, or the last one is over. */
  busy(isBusy: boolean): void
  /** Resolves when `signal` aborts. */
  run(signal: AbortSignal): Promise<void>
}

/** Machines with no more than this are short of memory when other apps are at work. */
const smallMachineBytes = 36 * 2 ** 30
const smallMachineUnloadAfterMs = 30 * 60_000

/** What `idle.unloadAfter` comes to on a machine with so much memory; null: never. Pure. */
export function unloadAfterMs(
  setting: number | 'auto' | 'off',
  physicalBytes: number,
): number | null {
  if (setting === 'off') return null
  if (setting !== 'auto') return setting
  return physicalBytes <= smallMachineBytes ? smallMachineUnloadAfterMs : null
}

export function createIdleWatch(options: IdleWatchOptions): IdleWatch {
  const { clock, supervisor, journal } = options
  let isBusy = false
  let lastRequestEndMs = -Infinity

  /** Since when nobody has wanted anything of a ready engine; null when it is not ready or works. */
  const idleSinceMs = (): number | null => {
    const { life, sinceMs } = supervisor.view()
    return life.state.kind !== 'ready' || isBusy ? null : Math.max(sinceMs, lastRequestEndMs)
  }
  const leftMs = (): number => {
    const afterMs = options.unloadAfterMs()
    if (afterMs === null) return Infinity
    const sinceMs = idleSinceMs()
    // A busy engine becomes idle without any change of its state: look again when it could be due at the earliest.
    if (sinceMs === null) return isBusy ? afterMs : Infinity
    return sinceMs + afterMs - clock.monotonicMs()
  }
  const unload = (): void => {
    const idleMs = Math.round(clock.monotonicMs() - (idleSinceMs() ?? clock.monotonicMs()))
    const message = `Nobody has asked anything for ${formatDuration(idleMs)}: the model is unloaded until a request comes`
    journal({ kind: 'memory', message, facts: { action: 'unload', because: 'idle', idleMs } })
    supervisor.unload('idle')
  }

  return {
    busy: (now) => {
      isBusy = now
      if (!now) lastRequestEndMs = clock.monotonicMs()
    },
    run: async (signal) => {
      while (!signal.aborted) {
        const waitMs = leftMs()
        if (waitMs <= 0) unload()
        else {
          const changed = (waiting: AbortSignal): Promise<void> => supervisor.changed(waiting)
          await changeOr(changed, waitMs, clock, signal).catch(() => undefined)
        }
      }
    },
  }
}
