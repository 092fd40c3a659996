/** Turns readings of memory into what is done about them: the policy decides, the supervisor and the proxy act. */
import { EventEmitter, once } from 'node:events'
import type { EngineProfile } from '../engine.ts'
import type { WriteJournal } from '../journal.ts'
import type { Logger } from '../log.ts'
import {
  advanceHeadroom,
  type HeadroomState,
  initialHeadroom,
  mayLoad,
} from '../memory/headroom-policy.ts'
import type {
  HeadroomAction,
  HeadroomEngine,
  HeadroomInput,
  HeadroomLevel,
  HeadroomSettings,
} from '../memory/headroom.ts'
import type { MemoryReading } from '../memory/memory-reading.ts'
import { runProfile } from '../supervisor/engine-state.ts'
import type { Supervisor } from '../supervisor/supervisor.ts'
import type { SupervisorView } from '../supervisor/supervisor-options.ts'
import { nextOf, reasonOf } from './headroom-words.ts'

export interface HeadroomWatchOptions {
  readonly supervisor: Pick<Supervisor, 'view' | 'recycle' | 'setContext' | 'unload' | 'room'>
  readonly settings: () => HeadroomSettings
  readonly maxContextHalvings: () => number
  /** No request is being answered or waits. */
  readonly isIdle: () => boolean
  readonly setOneAtATime: (isLimited: boolean) => void
  /** What a run set up like this is expected to take; null when unknown. */
  readonly plannedBytes: (profile: EngineProfile) => number | null
  /** Whether a run set up like this has room on a machine that reads so. */
  readonly fits: (profile: EngineProfile, reading: MemoryReading) => boolean
  readonly journal: WriteJournal
  readonly log: Pick<Logger, 'info' | 'warn'>
}

export interface HeadroomView {
  /** null before the first reading. */
  readonly level: HeadroomLevel | null
  readonly step: HeadroomState['step']
  /** Why the level is not ok. */
  readonly reason: string | null
  readonly next: string | null
}

export class HeadroomWatch {
  readonly #options: HeadroomWatchOptions
  readonly #changes = new EventEmitter().setMaxListeners(0)
  #state: HeadroomState = initialHeadroom
  /** null before the first reading. */
  #seen: HeadroomInput | null = null

  constructor(options: HeadroomWatchOptions) {
    this.#options = options
  }

  view(): HeadroomView {
    const { level, step } = this.#state
    return {
      level: this.#seen === null ? null : level,
      step,
      reason: reasonOf(this.#state),
      next: nextOf(this.#state, this.#options.settings()),
    }
  }

  /** Why no run may begin now; null: it may. */
  get obstacle(): string | null {
    if (this.#seen === null) return null
    const verdict = mayLoad(this.#state)
    return verdict.kind === 'no' ? verdict.why : null
  }

  /** Resolves at the next change of the level or the step; rejects when `signal` aborts. */
  async changed(signal: AbortSignal): Promise<void> {
    await once(this.#changes, 'change', { signal })
  }

  /** Takes one reading into account, and does what follows from it. */
  take(reading: MemoryReading): void {
    const { supervisor, settings, setOneAtATime } = this.#options
    const before = this.#state
    const view = supervisor.view()
    const seen = { reading: settled(reading, view), engine: this.#engine(view) }
    const { state, action } = advanceHeadroom(before, seen, settings())
    const isFirst = this.#seen === null
    const isNews = isFirst || state.level !== before.level || state.step !== before.step
    this.#state = state
    this.#seen = seen
    if (state.level !== before.level) this.#tellLevel(before.level, reading)
    setOneAtATime(state.step !== 'normal')
    if (action === null) this.#letIn(view, reading)
    else this.#carryOut(action)
    if (isNews) this.#changes.emit('change')
  }

  #engine(view: SupervisorView): HeadroomEngine {
    const { isIdle, plannedBytes, maxContextHalvings } = this.#options
    const profile = runProfile(view.life)
    return {
      state: ladderState(view, this.#state.step),
      idle: isIdle(),
      plannedBytes: plannedBytes(profile),
      contextHalvings: profile.contextHalvings,
      maxContextHalvings: maxContextHalvings(),
    }
  }

  #carryOut(action: HeadroomAction): void {
    const { supervisor, journal, log } = this.#options
    const { kind, message, facts } = action
    journal({ kind: 'memory', message, facts: { action: kind, ...facts } })
    log.warn(message, { action: kind, ...facts })
    switch (kind) {
      case 'limit-requests':
      case 'lift-limit':
        // Done with the step.
        return
      case 'recycle':
        return supervisor.recycle()
      case 'smaller-context':
      case 'larger-context':
        return supervisor.setContext(action.contextHalvings)
      case 'unload':
        return supervisor.unload('memory')
      case 'load':
        return supervisor.room()
    }
  }

  /** What was kept out for another reason than an unload of the ladder has nobody else to let it in. */
  #letIn({ life }: SupervisorView, reading: MemoryReading): void {
    const { supervisor, fits } = this.#options
    const { state } = life
    const isKeptOut =
      state.kind === 'refused' || (state.kind === 'asleep' && state.reason === 'memory')
    if (isKeptOut && this.obstacle === null && fits(runProfile(life), reading)) supervisor.room()
  }

  #tellLevel(from: HeadroomLevel, reading: MemoryReading): void {
    const { level } = this.#state
    const reason = reasonOf(this.#state)
    const message = reason === null ? levelWords[level] : `${levelWords[level]}: ${reason}`
    const { availableBytes, footprintBytes, swapUsedBytes, pressure } = reading
    const facts = { level, from, availableBytes, footprintBytes, swapUsedBytes, pressure }
    this.#options.journal({ kind: 'memory', message, facts })
    if (level === 'ok') this.#options.log.info(message, facts)
    else this.#options.log.warn(message, facts)
  }
}

const levelWords: Readonly<Record<HeadroomLevel, string>> = {
  ok: 'There is enough memory again',
  tight: 'Memory is tight',
  critical: 'Memory is critically short',
}

/** The slowest tool is asked so often, and a little more. */
const footprintIsOldMs = 35_000

/** What an engine took while it loaded says nothing of what it takes, and may be what was read last. */
function settled(reading: MemoryReading, { life, sinceMs }: SupervisorView): MemoryReading {
  const isFresh = life.state.kind === 'ready' && reading.atMs - sinceMs < footprintIsOldMs
  return isFresh ? { ...reading, footprintBytes: null } : reading
}

/** The engine's state as the ladder takes it. One that somebody else has unloaded meanwhile is not the ladder's to load. */
function ladderState(
  { life: { state, wanted } }: SupervisorView,
  step: HeadroomState['step'],
): HeadroomEngine['state'] {
  switch (state.kind) {
    case 'ready':
    case 'stopping':
      return state.kind
    case 'starting':
    case 'backoff':
      return 'starting'
    case 'asleep':
      return step === 'unload' && state.reason !== 'memory' ? 'off' : 'asleep'
    case 'refused':
      return wanted === 'up' ? 'asleep' : 'off'
    case 'down':
    case 'failed':
      return 'off'
  }
}
