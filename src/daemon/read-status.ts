/** Gathers what the status is made of. */
import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import type { Paths } from '../config/paths.ts'
import type { EngineTrial } from '../engine-trial.ts'
import type { EngineProfile } from '../engine.ts'
import { plannedContextTokens, plannedSlots } from '../llama/engine-profile.ts'
import { reserveWithin } from '../memory/budget.ts'
import type { MemoryReading } from '../memory/memory-reading.ts'
import type { ProxyServer } from '../proxy/proxy-server.ts'
import type { SidePorts } from '../proxy/side-ports.ts'
import { runProfile } from '../supervisor/engine-state.ts'
import type { Supervisor } from '../supervisor/supervisor.ts'
import type { Status } from './control-protocol.ts'
import { llamaOptions } from './engine-settings.ts'
import type { LiveConfig } from './live-config.ts'
import type { MemoryParts } from './memory-parts.ts'
import type { Preflight } from './preflight.ts'
import type { TrialWatch } from './trial-watch.ts'
import { buildStatus } from './status.ts'
import type { Today } from './today.ts'

/** A status is one screen. */
const shownInQueue = 20

export interface Running {
  readonly url: string
  /** Monotonic. */
  readonly startedAtMs: number
  readonly live: LiveConfig
  readonly supervisor: Supervisor
  readonly proxy: ProxyServer
  readonly sidePorts: Pick<SidePorts, 'state'>
  readonly preflight: Preflight
  readonly trials: Pick<TrialWatch, 'trial'>
  readonly memory: MemoryParts
  readonly today: Today
}

export interface StatusDoors {
  readonly paths: Paths
  readonly version: string
  readonly clock: Pick<Clock, 'monotonicMs'>
}

export async function readStatus(doors: StatusDoors, running: Running): Promise<Status> {
  const { paths, version, clock } = doors
  const { preflight, trials, supervisor, proxy, sidePorts, today, startedAtMs, url } = running
  const config = running.live.current()
  const view = supervisor.view()
  const asked = llamaOptions(config, paths, preflight)
  const profile = runProfile(view.life)
  const reading = await running.memory.reading()
  return buildStatus({
    daemon: { pid: process.pid, version, home: paths.home, logs: paths.logs, startedAtMs },
    view,
    engine: {
      path: preflight.engineFile,
      version: preflight.engineVersion,
      trial: trialStatus(trials.trial),
    },
    model: {
      name: config.model.alias,
      path: preflight.modelFile,
      testModel: preflight.testModel,
      contextTokens: plannedContextTokens(asked, profile),
      slots: plannedSlots(asked, profile),
    },
    proxy: {
      url,
      alsoListening: sidePorts.state(),
      counts: proxy.counts(),
      today: today.view(),
      queue: proxy.waiting().slice(0, shownInQueue),
    },
    memory: memoryStatus(config, running, profile, reading),
    gpu: {
      usedBytes: reading.gpuUsedBytes,
      limitBytes: reading.gpuLimitBytes,
      utilisation: reading.gpuUtilisation,
    },
    restartWindowMs: config.restart.windowMs,
    nowMs: clock.monotonicMs(),
  })
}

function trialStatus(trial: EngineTrial | null): Status['engine']['trial'] {
  if (trial === null) return null
  const { earlierTokensPerSecond: _speed, ...shown } = trial
  return shown
}

function memoryStatus(
  { memory: { budgetBytes, reserveBytes } }: Config,
  { memory, preflight }: Pick<Running, 'memory' | 'preflight'>,
  profile: EngineProfile,
  { totalBytes, availableBytes, footprintBytes, swapUsedBytes, unknown }: MemoryReading,
): Status['memory'] {
  const wholeBytes = budgetBytes ?? totalBytes
  const planned = preflight.facts?.budget.memory.usableBytes
  return {
    ...memory.headroom.view(),
    budgetBytes:
      planned ??
      (wholeBytes === null ? null : wholeBytes - reserveWithin(wholeBytes, reserveBytes)),
    plannedBytes: memory.plannedBytes(profile),
    footprintBytes,
    availableBytes,
    swapUsedBytes,
    plannedParts: memory.plannedParts(profile),
    unknown,
  }
}
