/** Builds every part of the daemon and wires them with plain functions. */
import { totalmem } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import { createKeepAwake, type KeepAwake } from '../host/keep-awake.ts'
import { isLoopback } from '../proxy/access-policy.ts'
import { createRequestLog, type RequestLog } from '../proxy/accounting/request-log.ts'
import { createModelNames } from '../proxy/aliases.ts'
import type { ProxyServerOptions } from '../proxy/proxy-options.ts'
import { createProxyServer, type ProxyServer } from '../proxy/proxy-server.ts'
import { SidePorts } from '../proxy/side-ports.ts'
import { createTokenCheck, type TokenCheck } from '../proxy/tokens.ts'
import type { EngineAnswer } from '../proxy/tries.ts'
import type { UpstreamSource } from '../proxy/upstream.ts'
import type { Supervisor } from '../supervisor/supervisor.ts'
import { TOKENS } from '../token-files.ts'
import type { Status } from './control-protocol.ts'
import { carryOut } from './control-verbs.ts'
import type { DaemonOptions } from './daemon-options.ts'
import { upstreamOf } from './engine-upstream.ts'
import { builtPage } from './dashboard/assets.ts'
import { Dashboard, type DashboardDoors } from './dashboard/dashboard.ts'
import { slotReader } from './dashboard/slots.ts'
import { createLiveConfig, type LiveConfig } from './live-config.ts'
import { MemoryParts } from './memory-parts.ts'
import type { Metrics } from './metrics/metrics.ts'
import type { Snapshot } from './metrics/state-metrics.ts'
import { createPages } from './pages.ts'
import { findPortHolder } from '../port-holder.ts'
import { Preflight } from './preflight.ts'
import { superviseWith } from './supervise.ts'
import { TrialWatch, type TrialWatchOptions } from './trial-watch.ts'
import { createToday, type Today } from './today.ts'
import { eitherChanged } from './until-change.ts'

/** What the parts share once they are built. */
export interface Parts {
  readonly live: LiveConfig
  readonly preflight: Preflight
  readonly supervisor: Supervisor
  readonly proxy: ProxyServer
  readonly sidePorts: SidePorts
  readonly requests: RequestLog
  readonly today: Today
  readonly keepAwake: KeepAwake
  readonly trials: TrialWatch
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
  const { today, requests } = books(clock, metrics)
  const trials = trialsOf(options, live, { restart: () => supervisor.restart(), ending })
  const supervisor: Supervisor = superviseWith(options, {
    live,
    preflight,
    trials,
    ending,
    memory: () => memory,
    proxy: () => proxy,
  })
  const snapshot = (): Promise<Snapshot> => snapshotOf(status, memory, supervisor)
  const tokens = tokenCheckOf(options)
  const proxy = createProxyServer({
    ...publicPort(options, requests),
    tokens,
    isGuest: (path, req) => dashboard.isGuest(path, req),
    page: createPages({ metrics, snapshot, log, dashboard: () => dashboard }),
    upstream: upstreamSource(supervisor, { trials, memory: () => memory }, clock),
    onAnswer: (answer) => tellAnswer(answer, supervisor),
    onBusy: (isBusy) => tellBusy(isBusy, config.power.keepAwake, { memory, keepAwake }),
  })
  const sidePorts = sidePortsOf(options, proxy)
  const about = { live, preflight, trials, requests, today, keepAwake }
  const parts = { ...about, supervisor, proxy, sidePorts }
  const memory: MemoryParts = memoryOf(options, parts)
  const isOpenToAll = (): boolean => tokens.check([]).kind === 'open'
  const dashboard: Dashboard = dashboardOf(options, { ...parts, memory }, { snapshot, isOpenToAll })
  return { ...parts, memory, dashboard }
}

/** What is kept of each request that is over. */
function books(
  clock: DaemonOptions['clock'],
  { countRequest }: Pick<Metrics, 'countRequest'>,
): Pick<Parts, 'today' | 'requests'> {
  const today = createToday(clock)
  const requests = createRequestLog({
    clock,
    onEnded: (request) => {
      countRequest(request)
      today.count(request)
    },
  })
  return { today, requests }
}

function tellBusy(
  isBusy: boolean,
  mayKeepAwake: boolean,
  { memory, keepAwake }: Pick<Parts, 'memory' | 'keepAwake'>,
): void {
  memory.idle.busy(isBusy)
  keepAwake.busy(isBusy && mayKeepAwake)
}

function trialsOf(
  { paths, clock, journal }: DaemonOptions,
  live: LiveConfig,
  rest: Pick<TrialWatchOptions, 'restart' | 'ending'>,
): TrialWatch {
  const isOurs = (): boolean => live.current().engine.path === null
  return new TrialWatch({ engines: paths.engines, isOurs, clock, journal, ...rest })
}

function dashboardOf(
  options: DaemonOptions,
  { requests, supervisor, memory }: Omit<Parts, 'dashboard'>,
  doors: Pick<DashboardDoors, 'snapshot' | 'isOpenToAll'>,
): Dashboard {
  const { config, paths, clock, log } = options
  return new Dashboard({
    page: builtPage,
    logs: paths.logs,
    changed: (signal) => eitherChanged(supervisor, memory.headroom, signal),
    act: (verb) => carryOut(verb, supervisor, options),
    logLevel: config.log.level,
    journalWritten: options.journalWritten,
    ...doors,
    requests,
    slots: slotReader(() => readySocket(supervisor)),
    clock,
    log,
  })
}

function readySocket(supervisor: Supervisor): string | null {
  const { life, socketPath } = supervisor.view()
  return life.state.kind === 'ready' ? socketPath : null
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
  { trials, memory }: { readonly trials: TrialWatch; readonly memory: () => MemoryParts },
  clock: Pick<Clock, 'monotonicMs'>,
): UpstreamSource {
  return {
    current: () => {
      const { obstacle } = memory().headroom
      return upstreamOf(supervisor.view(), clock.monotonicMs(), obstacle, trials.isGoingBack)
    },
    changed: (signal) => supervisor.changed(signal),
    wake: () => supervisor.wake(),
  }
}

function publicPort(
  { config, clock, log }: DaemonOptions,
  requests: RequestLog,
): Omit<ProxyServerOptions, 'page' | 'isGuest' | 'tokens' | 'upstream' | 'onAnswer' | 'onBusy'> {
  const { aliases } = config.proxy
  return {
    ...config.proxy,
    names: createModelNames({ base: config.model.alias, aliases }),
    requests,
    findPortHolder,
    clock,
    log,
  }
}

function tokenCheckOf({ config, paths, clock, log }: DaemonOptions): TokenCheck {
  const openWithoutTokens = isLoopback(config.proxy.host)
  return createTokenCheck({ folder: join(paths.home, TOKENS), openWithoutTokens, clock, log })
}

function sidePortsOf({ config, journal, clock }: DaemonOptions, proxy: ProxyServer): SidePorts {
  const { host, alsoListen: ports, limits } = config.proxy
  return new SidePorts({
    host,
    ports,
    maxConnections: limits.connections,
    accept: (socket) => proxy.accept(socket),
    findPortHolder,
    journal,
    clock,
  })
}

/** Only generating proves anything: the rest is answered by an engine with a dead GPU as well. */
function tellAnswer(answer: EngineAnswer, supervisor: Supervisor): void {
  const { runId, api, status, isComputeError } = answer
  if (isComputeError) supervisor.answered(runId, 'compute-error')
  else if (status === 200 && api !== null) supervisor.answered(runId, 'good')
}
