/** Gathers what the status is made of. */
import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import type { Paths } from '../config/paths.ts'
import type { EngineProfile } from '../engine.ts'
import { plannedContextTokens, plannedSlots } from '../llama/engine-profile.ts'
import { reserveWithin } from '../memory/budget.ts'
import type { ProxyServer } from '../proxy/proxy-server.ts'
import { runProfile } from '../supervisor/engine-state.ts'
import type { Supervisor } from '../supervisor/supervisor.ts'
import type { Status } from './control-protocol.ts'
import { llamaOptions } from './engine-settings.ts'
import type { LiveConfig } from './live-config.ts'
import type { MemoryParts } from './memory-parts.ts'
import type { Preflight } from './preflight.ts'
import { buildStatus } from './status.ts'

/** A status is one screen. */
const shownInQueue = 20

export interface Running {
  readonly url: string
  /** Monotonic. */
  readonly startedAtMs: number
  readonly live: LiveConfig
  readonly supervisor: Supervisor
  readonly proxy: ProxyServer
  readonly preflight: Preflight
  readonly memory: MemoryParts
}

export interface StatusDoors {
  readonly paths: Paths
  readonly version: string
  readonly clock: Pick<Clock, 'monotonicMs'>
}

export async function readStatus(doors: StatusDoors, running: Running): Promise<Status> {
  const { paths, version, clock } = doors
  const { preflight, supervisor, proxy, startedAtMs, url } = running
  const config = running.live.current()
  const view = supervisor.view()
  const asked = llamaOptions(config, paths, preflight)
  const profile = runProfile(view.life)
  return buildStatus({
    daemon: { pid: process.pid, version, home: paths.home, logs: paths.logs, startedAtMs },
    view,
    engine: { path: preflight.engineFile, version: preflight.engineVersion },
    model: {
      name: config.model.alias,
      path: preflight.modelFile,
      testModel: preflight.testModel,
      contextTokens: plannedContextTokens(asked, profile),
      slots: plannedSlots(asked, profile),
    },
    proxy: { url, counts: proxy.counts(), queue: proxy.waiting().slice(0, shownInQueue) },
    memory: await memoryStatus(config, running, profile),
    restartWindowMs: config.restart.windowMs,
    nowMs: clock.monotonicMs(),
  })
}

async function memoryStatus(
  { memory: { budgetBytes, reserveBytes } }: Config,
  { memory, preflight }: Pick<Running, 'memory' | 'preflight'>,
  profile: EngineProfile,
): Promise<Status['memory']> {
  const { totalBytes, availableBytes, footprintBytes, unknown } = await memory.reading()
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
    unknown,
  }
}
