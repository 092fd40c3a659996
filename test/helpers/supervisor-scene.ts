/** A real Supervisor around puppet engines, with every door of it in the hands of the test. */
import { onTestFinished } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import type { EngineProfile } from '../../src/engine.ts'
import type { NewJournalEvent } from '../../src/journal.ts'
import type { EngineState } from '../../src/supervisor/engine-state.ts'
import { Supervisor } from '../../src/supervisor/supervisor.ts'
import type {
  SupervisorOptions,
  SupervisorSettings,
} from '../../src/supervisor/supervisor-options.ts'
import { type Puppet, type PuppetControl, puppetEngine, startPuppetControl } from './puppet.ts'
import { RecordingLogger } from './recording-logger.ts'
import { tempDir } from './temp-dir.ts'

export interface SupervisorScene {
  readonly supervisor: Supervisor
  readonly puppets: PuppetControl
  readonly recordFile: string
  readonly socketPath: string
  readonly log: RecordingLogger
  readonly drains: () => number
  /** Every journal event so far. */
  readonly journal: readonly NewJournalEvent[]
  /** The set-ups that engines were made with so far. */
  readonly profiles: readonly EngineProfile[]
  /** Resolves with the state once it is of this kind. */
  readonly until: <K extends EngineState['kind']>(kind: K) => Promise<EngineState & { kind: K }>
  /** Resolves once the journal holds an event of this kind. */
  readonly untilTold: (kind: NewJournalEvent['kind']) => Promise<NewJournalEvent>
  /** Starts the next puppet and takes it to `ready`. */
  readonly readyPuppet: () => Promise<Puppet>
}

export type SceneChanges = Partial<SupervisorOptions> & {
  readonly set?: Partial<SupervisorSettings>
}

/** Fast where the product is patient; nothing here waits by itself for longer than the test needs. */
export const sceneSettings: SupervisorSettings = {
  restart: {
    baseDelayMs: 20,
    maxDelayMs: 40,
    windowMs: 600_000,
    safeModeAfter: 3,
    giveUpAfter: 2,
    maxContextHalvings: 1,
  },
  graces: { exitGraceMs: 300, termGraceMs: 300 },
  startTimeoutMs: 60_000,
  health: {
    hangTimeoutMs: 60_000,
    scrapeIntervalMs: 5000,
    canaryTimeoutMs: 60_000,
    canaryIntervalMs: 0,
  },
}

/** Deaths after the first stay in `backoff` until the test has looked. */
export const slowRestart: SupervisorSettings['restart'] = {
  ...sceneSettings.restart,
  baseDelayMs: 60_000,
  maxDelayMs: 60_000,
}

const never = new AbortController().signal

function isOf<K extends EngineState['kind']>(
  state: EngineState,
  kind: K,
): state is EngineState & { kind: K } {
  return state.kind === kind
}

export async function supervisorScene(changes: SceneChanges = {}): Promise<SupervisorScene> {
  const { set, ...optionChanges } = changes
  const dir = await tempDir()
  const puppets = await startPuppetControl()
  const recordFile = dir.file('engine.json')
  const socketPath = dir.file('engine.sock')
  const log = new RecordingLogger()
  const journal: NewJournalEvent[] = []
  const profiles: EngineProfile[] = []
  const listeners = new Set<() => void>()
  let drains = 0
  const supervisor = new Supervisor({
    prove: () => Promise.resolve(null),
    engine: (profile) => {
      profiles.push(profile)
      return puppetEngine(puppets, socketPath)
    },
    settings: () => ({ ...sceneSettings, ...set }),
    preflight: () => Promise.resolve({ kind: 'go' }),
    drain: () => {
      drains += 1
      return Promise.resolve({ unfinished: 0 })
    },
    untilChanged: (signal) => systemClock.sleep(2 ** 31 - 1, signal),
    explainDeath: () => Promise.resolve(null),
    recordFile,
    clock: systemClock,
    log,
    journal: (event) => {
      journal.push(event)
      for (const listener of listeners) listener()
    },
    engineLog: () => undefined,
    random: () => 0.5,
    ...optionChanges,
  })
  const until: SupervisorScene['until'] = async (kind) => {
    for (;;) {
      const { state } = supervisor.view().life
      if (isOf(state, kind)) return state
      await supervisor.changed(never)
    }
  }
  const untilTold: SupervisorScene['untilTold'] = (kind) =>
    new Promise((resolve) => {
      const look = (): void => {
        const event = journal.find((one) => one.kind === kind)
        if (event === undefined) return
        listeners.delete(look)
        resolve(event)
      }
      listeners.add(look)
      look()
    })
  onTestFinished(async () => {
    supervisor.stop()
    await until('down')
    await puppets[Symbol.asyncDispose]()
    await dir[Symbol.asyncDispose]()
  })
  const readyPuppet = async (): Promise<Puppet> => {
    const puppet = await puppets.next()
    await puppet.listening
    await puppet.ready()
    await until('ready')
    return puppet
  }
  return {
    supervisor,
    puppets,
    recordFile,
    socketPath,
    log,
    drains: () => drains,
    journal,
    profiles,
    until,
    untilTold,
    readyPuppet,
  }
}
