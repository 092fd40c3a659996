/** Builds every part of the daemon and wires them with plain functions. */
import { totalmem } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import type { Paths } from '../config/paths.ts'
import { createKeepAwake, type KeepAwake } from '../host/keep-awake.ts'
import { plannedSlots } from '../llama/engine-profile.ts'
import { createLlamaEngine, type LlamaEngineOptions } from '../llama/llama-engine.ts'
import { isLoopback } from '../proxy/access-policy.ts'
import { createRequestLog, type RequestLog } from '../proxy/accounting/request-log.ts'
import { createModelNames } from '../proxy/aliases.ts'
import type { ProxyServerOptions } from '../proxy/proxy-options.ts'
import { createProxyServer, type ProxyServer } from '../proxy/proxy-server.ts'
import { createTokenCheck } from '../proxy/tokens.ts'
import type { EngineAnswer } from '../proxy/tries.ts'
import type { UpstreamSource } from '../proxy/upstream.ts'
import { Supervisor } from '../supervisor/supervisor.ts'
import type { SupervisorOptions } from '../supervisor/supervisor-options.ts'
import { TOKENS } from '../token-files.ts'
import type { Status } from './control-protocol.ts'
import { carryOut } from './control-verbs.ts'
import type { DaemonOptions } from './daemon-options.ts'
import { llamaOptions, supervisorSettings } from './engine-settings.ts'
import { upstreamOf } from './engine-upstream.ts'
import { builtPage } from './dashboard/assets.ts'
import { Dashboard } from './dashboard/dashboard.ts'
import { createDeathExplainer } from './explain-death.ts'
import { createLiveConfig, type LiveConfig } from './live-config.ts'
import { MemoryParts } from './memory-parts.ts'
import type { Metrics } from './metrics/metrics.ts'
import type { Snapshot } from './metrics/state-metrics.ts'
import { createPages } from './pages.ts'
import { findPortHolder } from './port-holder.ts'
import { Preflight } from './preflight.ts'
import { eitherChanged } from './until-change.ts'

/** What the parts share once they are built. */
export interface Parts {
  readonly live: LiveConfig
  readonly preflight: Preflight
  readonly supervisor: Supervisor
  readonly proxy: ProxyServer
  readonly requests: RequestLog
  readonly keepAwake: KeepAwake
  readonly memory: MemoryParts
  readonly dashboard: Dashboard
}

/** What watches them from outside. */
interface Watched {
  readonly status: () => Promise<Status>
  readonly metrics: Metrics
}

/** Builds them all, and starts none. */
export function buildParts(
  options: DaemonOptions,
  { status, metrics }: Watched,
  ending: AbortSignal,
): Parts {
  const { config, clock, log, journal } = options
  const live = createLiveConfig(config, options.loadConfig, journal)
  const physicalBytes = async () => (await memory.reading()).totalBytes ?? totalmem()
  const preflight = new Preflight({ ...options, config: live, physicalBytes })
  const keepAwake = createKeepAwake({ platform: process.platform, pid: process.pid, log, clock })
  const asked = (): LlamaEngineOptions => llamaOptions(live.current(), options.paths, preflight)
  const requests = createRequestLog({ clock, onEnded: metrics.countRequest })
  const deaths = createDeathExplainer(() => preflight.engineFile, clock, ending)
  const supervisor = new Supervisor({
    ...engineOptions(options, live, preflight),
    preflight: async (profile) => {
      const [verdict] = await Promise.all([preflight.check(), deaths.prepare()])
      // Known only now, and safe mode changes it.
      memory.slots.setSlots(plannedSlots(asked(), profile))
      return verdict.kind === 'go' ? memory.mayStart(profile) : verdict
    },
    drain: () => drainAndCut(proxy, live.current()),
    explainDeath: (death) => deaths.explain(death),
  })
  const snapshot = (): Promise<Snapshot> => snapshotOf(status, memory, supervisor)
  const proxy = createProxyServer({
    ...publicPort(options, requests),
    page: createPages({ metrics, snapshot, log, dashboard: () => dashboard }),
    upstream: upstreamSource(supervisor, () => memory.headroom.obstacle, clock),
    onAnswer: (answer) => tellAnswer(answer, supervisor),
    onBusy: (isBusy) => {
      memory.idle.busy(isBusy)
      keepAwake.busy(isBusy && config.power.keepAwake)
    },
  })
  const parts = { live, preflight, supervisor, proxy, requests, keepAwake }
  const memory: MemoryParts = memoryOf(options, parts)
  const dashboard: Dashboard = dashboardOf(options, { ...parts, memory }, snapshot)
  return { ...parts, memory, dashboard }
}

function dashboardOf(
  options: DaemonOptions,
  { requests, supervisor, memory }: Omit<Parts, 'dashboard'>,
  snapshot: () => Promise<Snapshot>,
): Dashboard {
  const { paths, clock, log } = options
  return new Dashboard({
    page: builtPage,
    logs: paths.logs,
    changed: (signal) => eitherChanged(supervisor, memory.headroom, signal),
    act: (verb) => carryOut(verb, supervisor, options),
    snapshot,
    requests,
    clock,
    log,
  })
}

function memoryOf(options: DaemonOptions, parts: Omit<Parts, 'memory' | 'dashboard'>): MemoryParts {
  return new MemoryParts({ ...options, ...parts, config: () => parts.live.current() })
}

async function snapshotOf(
  status: () => Promise<Status>,
  memory: MemoryParts,
  supervisor: Supervisor,
): Promise<Snapshot> {
  const [shown, reading] = await Promise.all([status(), memory.reading()])
  return { status: shown, reading, counters: supervisor.view().counters }
}

function upstreamSource(
  supervisor: Supervisor,
  shortage: () => string | null,
  clock: Pick<Clock, 'monotonicMs'>,
): UpstreamSource {
  return {
    current: () => upstreamOf(supervisor.view(), clock.monotonicMs(), shortage()),
    changed: (signal) => supervisor.changed(signal),
    wake: () => supervisor.wake(),
  }
}

function engineOptions(
  options: DaemonOptions,
  live: LiveConfig,
  preflight: Preflight,
): Omit<SupervisorOptions, 'preflight' | 'drain' | 'explainDeath'> {
  const { paths } = options
  return {
    ...options,
    engine: (profile) => createLlamaEngine(llamaOptions(live.current(), paths, preflight), profile),
    settings: () => supervisorSettings(live.current(), preflight.contextTokens),
    untilChanged: (signal) => preflight.untilChanged(signal),
    recordFile: recordFile(paths),
    random: () => Math.random(),
  }
}

function publicPort(
  { config, paths, clock, log }: DaemonOptions,
  requests: RequestLog,
): Omit<ProxyServerOptions, 'page' | 'upstream' | 'onAnswer' | 'onBusy'> {
  const { aliases, host } = config.proxy
  return {
    ...config.proxy,
    names: createModelNames({ base: config.model.alias, aliases }),
    tokens: createTokenCheck({
      folder: join(paths.home, TOKENS),
      openWithoutTokens: isLoopback(host),
      clock,
      log,
    }),
    requests,
    findPortHolder,
    clock,
    log,
  }
}

/** Lets open requests finish, then closes the connections of those that did not in time. */
async function drainAndCut(proxy: ProxyServer, config: Config): Promise<{ unfinished: number }> {
  const result = await proxy.drain(config.engine.drainTimeoutMs)
  proxy.closeUpstream()
  return result
}

/** Only generating proves anything: the rest is answered by an engine with a dead GPU as well. */
function tellAnswer(answer: EngineAnswer, supervisor: Supervisor): void {
  const { runId, api, status, isComputeError } = answer
  if (isComputeError) supervisor.answered(runId, 'compute-error')
  else if (status === 200 && api !== null) supervisor.answered(runId, 'good')
}

/** Names the engine that runs, for the next daemon. */
export function recordFile(paths: Paths): string {
  return join(paths.run, 'engine.json')
}
