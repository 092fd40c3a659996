/** Gathers what the status is made of. */
import type { Clock } from '../clock.ts'
import type { Paths } from '../config/paths.ts'
import { plannedContextTokens, plannedSlots } from '../llama/engine-profile.ts'
import { readMemory } from '../memory/read-memory.ts'
import type { ProxyServer } from '../proxy/proxy-server.ts'
import type { Supervisor } from '../supervisor/supervisor.ts'
import type { Status } from './control-protocol.ts'
import { llamaOptions } from './engine-settings.ts'
import type { LiveConfig } from './live-config.ts'
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
  const memory = await readMemory(view.enginePid)
  const asked = llamaOptions(config, paths, preflight)
  const { profile } = view.life
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
    memory: {
      level: null,
      budgetBytes: (config.memory.budgetBytes ?? memory.totalBytes) - config.memory.reserveBytes,
      plannedBytes: null,
      footprintBytes: memory.footprintBytes,
      availableBytes: memory.availableBytes,
    },
    restartWindowMs: config.restart.windowMs,
    nowMs: clock.monotonicMs(),
  })
}
