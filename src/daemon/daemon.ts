/** Builds every part, starts them in order, stops them in reverse. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import type { Paths } from '../config/paths.ts'
import type { LogLevel } from '../engine.ts'
import { createLlamaEngine } from '../llama/llama-engine.ts'
import type { Logger } from '../log.ts'
import { readMemory } from '../memory/read-memory.ts'
import { assertSafeBind } from '../proxy/access-policy.ts'
import { createProxyServer, type ProxyServer } from '../proxy/proxy-server.ts'
import type { UpstreamSource } from '../proxy/upstream.ts'
import { forgetEngine, reapOrphan } from '../supervisor/orphan.ts'
import { Supervisor } from '../supervisor/supervisor.ts'
import type { ControlVerb, Status } from './control-protocol.ts'
import { startControlServer } from './control-server.ts'
import { upstreamOf } from './engine-upstream.ts'
import { findPortHolder } from './port-holder.ts'
import { Preflight } from './preflight.ts'
import { buildStatus } from './status.ts'

export interface DaemonOptions {
  readonly config: Config
  readonly paths: Paths
  readonly version: string
  readonly clock: Clock
  readonly log: Logger
  readonly engineLog: (level: LogLevel, text: string) => void
  /** Somebody asked over the control socket for the daemon to end. */
  readonly onShutdown: () => void
}

export interface Daemon {
  readonly url: string
  /** Drains, stops the engine, closes every socket and removes what it made in the run folder. */
  stop(): Promise<void>
}

/**
 * Ends what a killed daemon left, takes the public port and the control socket, then starts the
 * engine. The caller holds the instance lock. Throws `port-taken`, `unsafe-bind`, `state-folder`.
 */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { config, paths, clock, log } = options
  assertSafeBind(config.proxy.host)
  const recordFile = join(paths.run, 'engine.json')
  const orphan = await reapOrphan(recordFile, clock)
  if (orphan !== null) log.warn('ended an engine left by a killed daemon', { pid: orphan })

  const preflight = new Preflight(enginePath(config, paths), modelPath(config, paths))
  const drain = (): Promise<{ unfinished: number }> => drainAndCut(proxy, config)
  const supervisor = createSupervisor(options, preflight, recordFile, drain)
  const proxy = createProxy(options, {
    current: () => upstreamOf(supervisor.view(), clock.monotonicMs()),
    changed: (signal) => supervisor.changed(signal),
  })
  const { url } = await proxy.listen()
  const startedAtMs = clock.monotonicMs()
  const control = await startControlServer({
    socketPath: paths.controlSocket,
    status: () => readStatus(options, { url, startedAtMs, supervisor, proxy, preflight }),
    changed: (signal) => supervisor.changed(signal),
    act: (verb) => act(verb, supervisor, options.onShutdown),
  }).catch(async (error: unknown) => {
    await proxy.close()
    throw error
  })
  log.info('listening', { url, control: paths.controlSocket, pid: process.pid })
  supervisor.start()
  return {
    url,
    stop: async () => {
      supervisor.stop()
      await untilDown(supervisor)
      await proxy.close()
      await control.close()
      await forgetEngine(recordFile)
      await rm(paths.engineSocket, { force: true })
      log.info('stopped')
    },
  }
}

function enginePath(config: Config, paths: Paths): string {
  return config.engine.path ?? join(paths.engines, 'current', 'bin', 'llama-server')
}

function modelPath(config: Config, paths: Paths): string {
  return config.model.path ?? join(paths.models, 'current')
}

function createProxy({ config, clock, log }: DaemonOptions, upstream: UpstreamSource): ProxyServer {
  const { host, port, holdTimeoutMs, allowedHosts, allowedOrigins } = config.proxy
  return createProxyServer({
    host,
    port,
    models: [config.model.alias],
    holdTimeoutMs,
    allowedHosts,
    allowedOrigins,
    upstream,
    findPortHolder,
    clock,
    log,
  })
}

/** Lets open requests finish, then closes the connections of those that did not in time. */
async function drainAndCut(proxy: ProxyServer, config: Config): Promise<{ unfinished: number }> {
  const result = await proxy.drain(config.engine.drainTimeoutMs)
  proxy.closeUpstream()
  return result
}

function createSupervisor(
  { config, paths, clock, log, engineLog }: DaemonOptions,
  preflight: Preflight,
  recordFile: string,
  drain: () => Promise<{ unfinished: number }>,
): Supervisor {
  const { engine, model } = config
  return new Supervisor({
    engine: () =>
      createLlamaEngine({
        file: preflight.engineFile,
        modelPath: preflight.modelFile,
        alias: model.alias,
        socketPath: paths.engineSocket,
        contextTokens: model.contextTokens,
        slots: model.slots,
        cacheRamMiB: 1024,
        extraArgs: engine.extraArgs,
        xdgConfigHome: join(paths.home, 'engine-config'),
      }),
    preflight: () => preflight.check(),
    restart: config.restart,
    graces: engine,
    startTimeoutMs: engine.startTimeoutMs,
    drain,
    recordFile,
    clock,
    log,
    engineLog,
    random: () => Math.random(),
  })
}

function act(verb: ControlVerb, supervisor: Supervisor, onShutdown: () => void): void {
  switch (verb) {
    case 'start':
      return supervisor.start()
    case 'restart':
      return supervisor.restart()
    case 'stop-engine':
      return supervisor.stop()
    case 'shutdown':
      return onShutdown()
  }
}

async function untilDown(supervisor: Supervisor): Promise<void> {
  const never = new AbortController().signal
  while (supervisor.view().life.state.kind !== 'down') await supervisor.changed(never)
}

interface Running {
  readonly url: string
  readonly startedAtMs: number
  readonly supervisor: Supervisor
  readonly proxy: ProxyServer
  readonly preflight: Preflight
}

async function readStatus(options: DaemonOptions, running: Running): Promise<Status> {
  const { config, paths, version, clock } = options
  const { preflight, supervisor, proxy } = running
  const view = supervisor.view()
  const memory = await readMemory(view.enginePid)
  return buildStatus({
    daemon: {
      pid: process.pid,
      version,
      home: paths.home,
      logs: paths.logs,
      startedAtMs: running.startedAtMs,
    },
    view,
    engine: { path: preflight.engineFile, version: preflight.engineVersion },
    model: {
      name: config.model.alias,
      path: preflight.modelFile,
      testModel: preflight.testModel,
      contextTokens: config.model.contextTokens,
      slots: config.model.slots,
    },
    proxy: { url: running.url, counts: proxy.counts() },
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
