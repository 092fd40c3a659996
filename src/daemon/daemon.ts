/** Builds every part, starts them in order, stops them in reverse. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type AwakeClock, createAwakeClock, type WakeGap } from '../awake-clock.ts'
import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import type { Paths } from '../config/paths.ts'
import type { LogLevel } from '../engine.ts'
import { createKeepAwake, type KeepAwake } from '../host/keep-awake.ts'
import type { WriteJournal } from '../journal.ts'
import { plannedSlots } from '../llama/engine-profile.ts'
import { createLlamaEngine, type LlamaEngineOptions } from '../llama/llama-engine.ts'
import type { Logger } from '../log.ts'
import { assertSafeBind, isLoopback } from '../proxy/access-policy.ts'
import { createRequestLog, type RequestLog } from '../proxy/accounting/request-log.ts'
import { createModelNames } from '../proxy/aliases.ts'
import { createTokenCheck } from '../proxy/tokens.ts'
import type { EngineAnswer } from '../proxy/tries.ts'
import type { ProxyServerOptions } from '../proxy/proxy-options.ts'
import { createProxyServer, type ProxyServer } from '../proxy/proxy-server.ts'
import { endOrphan, forgetEngine, orphanEvent } from '../supervisor/orphan.ts'
import { Supervisor } from '../supervisor/supervisor.ts'
import { readTokens, TOKENS } from '../token-files.ts'
import { formatDuration } from '../units.ts'
import { type ControlServer, startControlServer } from './control-server.ts'
import { carryOut } from './control-verbs.ts'
import { createDeathExplainer } from './explain-death.ts'
import { llamaOptions, supervisorSettings } from './engine-settings.ts'
import { upstreamOf } from './engine-upstream.ts'
import { createLiveConfig, type LiveConfig } from './live-config.ts'
import { findPortHolder } from './port-holder.ts'
import { Preflight } from './preflight.ts'
import { readStatus } from './read-status.ts'

export interface DaemonOptions {
  readonly config: Config
  /** Reads the config again. */
  readonly loadConfig: () => Promise<LoadedConfig>
  readonly configFile: string
  readonly paths: Paths
  readonly version: string
  readonly clock: Clock
  readonly log: Logger
  readonly journal: WriteJournal
  readonly engineLog: (level: LogLevel, text: string) => void
  /** Somebody asked over the control socket for the daemon to end. */
  readonly onShutdown: () => void
}

export interface Daemon {
  readonly url: string
  /** Drains, stops the engine, closes every socket and removes what it made in the run folder. */
  stop(): Promise<void>
}

/** What the parts share once they are built. */
interface Parts {
  readonly live: LiveConfig
  readonly preflight: Preflight
  readonly supervisor: Supervisor
  readonly proxy: ProxyServer
  readonly requests: RequestLog
  readonly keepAwake: KeepAwake
}

/**
 * Ends what a killed daemon left, takes the public port and the control socket, then starts the
 * engine. The caller holds the instance lock. Throws `port-taken`, `unsafe-bind`, `state-folder`.
 */
export async function startDaemon(given: DaemonOptions): Promise<Daemon> {
  const { config, paths, log } = given
  assertSafeBind(config.proxy.host, readTokens(join(paths.home, TOKENS)).length > 0)
  const ending = new AbortController()
  const clock = awakeClock(given, (gap) => tellWake(gap, given, parts.supervisor))
  const options: DaemonOptions = { ...given, clock }
  await endLeftEngine(options)
  const parts = buildParts(options, ending.signal)
  const { supervisor, proxy, keepAwake } = parts
  const { url } = await proxy.listen()
  const control = await openControl(options, parts, url).catch(async (error: unknown) => {
    await proxy.close()
    throw error
  })
  log.info('listening', { url, control: paths.controlSocket, pid: process.pid })
  void clock.run(ending.signal)
  supervisor.start()
  return {
    url,
    stop: async () => {
      supervisor.stop()
      await untilDown(supervisor)
      ending.abort()
      await proxy.close()
      await control.close()
      await keepAwake.close()
      await forgetEngine(recordFile(paths))
      await rm(paths.engineSocket, { force: true })
      log.info('stopped')
    },
  }
}

function openControl(options: DaemonOptions, parts: Parts, url: string): Promise<ControlServer> {
  const { supervisor, requests } = parts
  const startedAtMs = options.clock.monotonicMs()
  return startControlServer({
    socketPath: options.paths.controlSocket,
    status: () => readStatus(options, { url, startedAtMs, ...parts }),
    changed: (signal) => supervisor.changed(signal),
    act: (verb) => carryOut(verb, supervisor, options),
    requests: (recent) => ({
      open: requests.open(),
      recent: requests.recent(recent),
      totals: requests.totals(),
    }),
    cancel: (id) => requests.cancel(id),
  })
}

function awakeClock({ clock, config }: DaemonOptions, onWake: (gap: WakeGap) => void): AwakeClock {
  const gapMs = config.health.wakeGapMs
  return createAwakeClock(clock, { gapMs, tickMs: Math.min(5000, gapMs / 4), onWake })
}

function recordFile(paths: Paths): string {
  return join(paths.run, 'engine.json')
}

async function endLeftEngine({ paths, clock, journal, log }: DaemonOptions): Promise<void> {
  const event = orphanEvent(await endOrphan(recordFile(paths), clock))
  if (event === null) return
  journal(event)
  log.warn(event.message, { ...event.facts, hint: event.hint })
}

function buildParts(options: DaemonOptions, ending: AbortSignal): Parts {
  const { config, paths, clock, log, journal } = options
  const live = createLiveConfig(config, options.loadConfig, journal)
  const preflight = new Preflight({ ...options, config: live })
  const { pid, platform } = process
  const keepAwake = createKeepAwake({ platform, pid, log, clock })
  const requests = createRequestLog({ clock })
  const deaths = createDeathExplainer(() => preflight.engineFile, clock, ending)
  const asked = (): LlamaEngineOptions => llamaOptions(live.current(), paths, preflight)
  const supervisor = new Supervisor({
    ...options,
    engine: (profile) => createLlamaEngine(asked(), profile),
    settings: () => supervisorSettings(live.current()),
    preflight: async (profile) => {
      const [verdict] = await Promise.all([preflight.check(), deaths.prepare()])
      // Known only now, and safe mode changes it.
      proxy.setSlots(plannedSlots(asked(), profile))
      return verdict
    },
    drain: () => drainAndCut(proxy, live.current()),
    untilChanged: (signal) => preflight.untilChanged(signal),
    explainDeath: (death) => deaths.explain(death),
    recordFile: recordFile(paths),
    random: () => Math.random(),
  })
  const proxy = createProxyServer({
    ...publicPort(options, requests),
    upstream: {
      current: () => upstreamOf(supervisor.view(), clock.monotonicMs()),
      changed: (signal) => supervisor.changed(signal),
      wake: () => supervisor.wake(),
    },
    onAnswer: (answer) => tellAnswer(answer, supervisor),
    onBusy: (isBusy) => keepAwake.busy(isBusy && config.power.keepAwake),
  })
  return { live, preflight, supervisor, proxy, requests, keepAwake }
}

function publicPort(
  { config, paths, clock, log }: DaemonOptions,
  requests: RequestLog,
): Omit<ProxyServerOptions, 'upstream' | 'onAnswer' | 'onBusy'> {
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

function tellWake(gap: WakeGap, { journal }: DaemonOptions, supervisor: Supervisor): void {
  const standstillMs = Math.max(gap.asleepMs, gap.wallJumpMs)
  const message = `Going on after ${formatDuration(standstillMs)} of standstill: the machine slept, this process was stopped, or the clock was set`
  journal({ kind: 'wake', message, facts: { ...gap } })
  supervisor.suspect('the machine woke from sleep')
}

/** Only generating proves anything: the rest is answered by an engine with a dead GPU as well. */
function tellAnswer(answer: EngineAnswer, supervisor: Supervisor): void {
  const { runId, api, status, isComputeError } = answer
  if (isComputeError) supervisor.answered(runId, 'compute-error')
  else if (status === 200 && api !== null) supervisor.answered(runId, 'good')
}

async function untilDown(supervisor: Supervisor): Promise<void> {
  const never = new AbortController().signal
  for (;;) {
    const { life, lastStop } = supervisor.view()
    const { state } = life
    // One that even SIGKILL does not end must not keep the daemon: the next one is told of it.
    const isStuck =
      state.kind === 'stopping' && lastStop?.runId === state.runId && lastStop.endedBy === 'stuck'
    if (state.kind === 'down' || isStuck) return
    await supervisor.changed(never)
  }
}
