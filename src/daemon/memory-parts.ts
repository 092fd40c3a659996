/** All that looks after memory: readings, headroom, the idle timer, and whether a start has room. */
import { totalmem } from 'node:os'
import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import type { EngineProfile } from '../engine.ts'
import type { WriteJournal } from '../journal.ts'
import { maxContextHalvings } from '../llama/engine-profile.ts'
import type { Logger } from '../log.ts'
import type { HeadroomSettings } from '../memory/headroom.ts'
import type { MemoryReading } from '../memory/memory-reading.ts'
import { createMemorySampler, type MemorySampler } from '../memory/memory-sampler.ts'
import type { ProxyServer } from '../proxy/proxy-server.ts'
import type { Supervisor } from '../supervisor/supervisor.ts'
import type { PreflightVerdict } from '../supervisor/supervisor-options.ts'
import type { PlannedParts } from './control-protocol.ts'
import { HeadroomWatch } from './headroom-watch.ts'
import { createIdleWatch, type IdleWatch, unloadAfterMs } from './idle-watch.ts'
import { createRoom, type Room, type RoomDoors } from './room.ts'
import { createSlotLimit, type SlotLimit } from './slot-limit.ts'

export interface MemoryPartsOptions extends RoomDoors {
  readonly clock: Clock
  readonly log: Logger
  readonly journal: WriteJournal
  readonly supervisor: Supervisor
  readonly proxy: Pick<ProxyServer, 'counts' | 'setSlots'>
}

/** By then every cheap source has been asked again. */
const freshAfterMs = 2500

export class MemoryParts {
  readonly #options: MemoryPartsOptions
  readonly #room: Room
  readonly #sampler: MemorySampler
  readonly headroom: HeadroomWatch
  readonly idle: IdleWatch
  readonly slots: SlotLimit
  /** The engine that the last reading was of. */
  #readPid: number | null = null

  constructor(options: MemoryPartsOptions) {
    const { proxy, config } = options
    this.#options = options
    this.#room = createRoom(options)
    this.slots = createSlotLimit((count) => proxy.setSlots(count))
    this.headroom = headroomOf(options, this.#room, this.slots)
    const afterMs = (): number | null => unloadAfterMs(config().idle.unloadAfterMs, totalmem())
    this.idle = createIdleWatch({ ...options, unloadAfterMs: afterMs })
    this.#sampler = samplerOf(options, (reading) => this.headroom.take(reading))
  }

  /** What a run set up like this is expected to take; null when unknown. */
  plannedBytes(profile: EngineProfile): number | null {
    return this.#room.plannedBytes(profile)
  }

  plannedParts(profile: EngineProfile): PlannedParts | null {
    return this.#room.plannedParts(profile)
  }

  /** The latest; of the present engine in any case. */
  async reading(): Promise<MemoryReading> {
    const { enginePid } = this.#options.supervisor.view()
    const latest = this.#sampler.latest()
    if (latest !== null && enginePid === this.#readPid) return latest
    this.#readPid = enginePid
    return this.#sampler.sample()
  }

  /** Whether a run set up like this may begin. */
  async mayStart(profile: EngineProfile): Promise<PreflightVerdict> {
    const { obstacle } = this.headroom
    if (obstacle !== null) {
      const message = `The model is not loaded as long as the machine is short of memory: ${obstacle}`
      this.#options.journal({ kind: 'memory', message, facts: { action: 'wait' } })
      return { kind: 'no-room' }
    }
    const known = this.#sampler.latest() ?? (await this.#sampler.sample())
    if (this.#room.refusal(profile, known) === null) return { kind: 'go' }
    // What an engine that has just ended took may still be counted: nothing is refused on an old reading.
    await this.#options.clock.sleep(freshAfterMs)
    const refusal = this.#room.refusal(profile, await this.#sampler.sample())
    return refusal === null ? { kind: 'go' } : { kind: 'refuse', refusal }
  }

  /** Resolves when `signal` has aborted and no tool runs any more. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#sampler.run(signal), this.idle.run(signal)])
  }
}

function samplerOf(
  { clock, supervisor, preflight, paths }: MemoryPartsOptions,
  onReading: (reading: MemoryReading) => void,
): MemorySampler {
  return createMemorySampler({
    platform: process.platform,
    clock,
    enginePid: () => supervisor.view().enginePid,
    engineFile: () => preflight.engineFile,
    diskPath: paths.home,
    onReading,
  })
}

function headroomOf(options: MemoryPartsOptions, room: Room, slots: SlotLimit): HeadroomWatch {
  const { proxy, config, preflight } = options
  return new HeadroomWatch({
    ...options,
    settings: () => headroomSettings(config()),
    maxContextHalvings: () => maxContextHalvings(preflight.contextTokens),
    isIdle: () => {
      const { inFlight, queued, held } = proxy.counts()
      return inFlight + queued + held === 0
    },
    setOneAtATime: (isLimited) => slots.setOneAtATime(isLimited),
    plannedBytes: (profile) => room.plannedBytes(profile),
    fits: (profile, reading) => room.refusal(profile, reading) === null,
  })
}

function headroomSettings({ memory }: Config): HeadroomSettings {
  return { ...memory, swapFilesGrow: process.platform === 'darwin' }
}
