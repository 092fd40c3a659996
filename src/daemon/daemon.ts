/** Starts every part in order, and stops them in reverse. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type AwakeClock, createAwakeClock, type WakeGap } from '../awake-clock.ts'
import type { Clock } from '../clock.ts'
import { createNotifier, type Notifier } from '../host/notifications.ts'
import type { Paths } from '../config/paths.ts'
import { messageOf } from '../errors.ts'
import { offerEngines } from '../host/oom-order.ts'
import type { WriteJournal } from '../journal.ts'
import { assertSafeBind } from '../proxy/access-policy.ts'
import { keeperSocket } from '../port-keeper.ts'
import { endOrphan, forgetEngine, orphanEvent } from '../supervisor/orphan.ts'
import type { Supervisor } from '../supervisor/supervisor.ts'
import { readTokens, TOKENS } from '../token-files.ts'
import { formatDuration } from '../units.ts'
import type { Status } from './control-protocol.ts'
import { type ControlServer, startControlServer } from './control-server.ts'
import { carryOut } from './control-verbs.ts'
import type { DaemonOptions } from './daemon-options.ts'
import { createMetrics } from './metrics/metrics.ts'
import { buildParts, type Parts } from './parts.ts'
import { readStatus } from './read-status.ts'
import { boundServiceOutput } from './service-output.ts'
import { createServiceWatch, type ServiceWatch } from './service-watch.ts'
import { recordFile } from './supervise.ts'
import { Turn } from './handover/turn.ts'
import { eitherChanged } from './until-change.ts'

export interface Daemon {
  readonly url: string
  /** Drains, stops the engine, closes every socket and removes what it made in the run folder. */
  stop(): Promise<void>
}

/**
 * Ends what a killed daemon left, takes the public port and the control socket, then starts the
 * engine. The caller holds the instance lock. Throws `port-taken`, `unsafe-bind`, `state-folder`.
 */
export async function startDaemon(given: DaemonOptions): Promise<Daemon> {
  const { config, paths, log } = given
  assertSafeBind(config.proxy.host, readTokens(join(paths.home, TOKENS)).length > 0)
  const ending = new AbortController()
  const clock = awakeClock(given, (gap) => tellWake(gap, options, parts.supervisor))
  const metrics = createMetrics(given.version)
  const notifier = notifierOf(given)
  const journal = told(given.journal, [metrics.countEvent, notifier.tell, hearing(() => parts)])
  const engineLog: DaemonOptions['engineLog'] = (level, text) => {
    given.engineLog(level, text)
    parts.dashboard.tellLine(level, text)
  }
  const options: DaemonOptions = { ...given, clock, journal, engineLog }
  const startedAtMs = clock.monotonicMs()
  // Nobody asks before the port listens, and then its address is known.
  const status = (): Promise<Status> => readStatus(options, { url, startedAtMs, ...parts })
  const parts = buildParts(options, { status, metrics }, ending.signal)
  await endLeftEngine(options)
  const { supervisor } = parts
  const turn = turnOf(options, parts, ending.signal)
  const { url } = await turn.listen()
  const watching = Promise.all([clock.run(ending.signal), watch(given, parts, ending.signal)])
  const service = watchService(given, clock, supervisor)
  // At once: what was asked before comes now, and must find an engine that is wanted.
  supervisor.start()
  const control = await openControl(options, parts, { status, url, turn, ending })
  log.info('listening', { url, control: paths.controlSocket, pid: process.pid })
  service.ready()
  const stop = async (): Promise<void> => {
    service.stopping()
    await endEngine(supervisor)
    ending.abort()
    await closeDoors(parts, control)
    await turn.close()
    await watching
    await removeTraces(paths)
    await Promise.all([service.close(), notifier.close()])
    metrics.close()
    log.info('stopped')
  }
  return { url, stop }
}

async function endEngine(supervisor: Supervisor): Promise<void> {
  supervisor.stop()
  await untilDown(supervisor)
}

async function removeTraces(paths: Paths): Promise<void> {
  await forgetEngine(recordFile(paths))
  await rm(paths.engineSocket, { force: true })
}

/** All that goes on beside the engine and the port. */
async function watch(
  options: DaemonOptions,
  { memory, supervisor, dashboard, sidePorts }: Parts,
  ending: AbortSignal,
): Promise<void> {
  const { paths, log } = options
  const chores = {
    'the watch on memory': memory.run(ending),
    'the dashboard': dashboard.run(ending),
    'the further ports': sidePorts.run(ending),
    'the bound on the output of the service': boundServiceOutput(
      { ...options, folder: paths.logs },
      ending,
    ),
    'the order for the OOM killer': offerEngines(
      supervisor,
      { platform: process.platform, log },
      ending,
    ),
  }
  // None of them is worth the port: one that fails is told, and the rest goes on.
  await Promise.all(
    Object.entries(chores).map(([what, chore]) =>
      chore.catch((error: unknown) => {
        log.error(`${what} ended by a fault`, { error: messageOf(error) })
      }),
    ),
  )
}

async function closeDoors({ proxy, keepAwake }: Parts, control: ControlServer): Promise<void> {
  await proxy.close()
  await control.close()
  await keepAwake.close()
}

/** Its ticks are the system's: one that is late after a standstill must come at once. */
function watchService(
  { config, notify, clock, log }: DaemonOptions,
  awake: Clock,
  supervisor: Supervisor,
): ServiceWatch {
  const { drainTimeoutMs, exitGraceMs, termGraceMs } = config.engine
  return createServiceWatch({
    notify,
    supervisor,
    stopLimitMs: drainTimeoutMs + exitGraceMs + termGraceMs,
    restartWindowMs: config.restart.windowMs,
    clock,
    awakeMs: () => awake.monotonicMs(),
    log,
  })
}

function notifierOf({ config, clock, log }: DaemonOptions): Notifier {
  return createNotifier({ platform: process.platform, desktop: config.notify.desktop, clock, log })
}

function turnOf(
  { config, paths, clock, log }: DaemonOptions,
  { proxy }: Parts,
  ending: AbortSignal,
): Turn {
  const { connections: maxConnections } = config.proxy.limits
  const socketPath = keeperSocket(paths)
  const environment = process.env
  return new Turn({ proxy, socketPath, maxConnections, environment, clock, log, ending })
}

interface Open {
  readonly status: () => Promise<Status>
  readonly url: string
  readonly turn: Turn
  readonly ending: AbortController
}

/** When it cannot, all that has begun is ended. */
async function openControl(
  options: DaemonOptions,
  { supervisor, requests, memory, dashboard, proxy }: Parts,
  { status, url, turn, ending }: Open,
): Promise<ControlServer> {
  return startControlServer({
    socketPath: options.paths.controlSocket,
    status,
    changed: (signal) => eitherChanged(supervisor, memory.headroom, signal),
    act: (verb) => carryOut(verb, supervisor, options),
    requests: (recent) => ({
      open: requests.open(),
      recent: requests.recent(recent),
      totals: requests.totals(),
    }),
    cancel: (id) => requests.cancel(id),
    dashboardLink: () => dashboard.makeLink(url),
    watch: (path, request, response) => dashboard.watch(path, request, response),
    handOver: async (limitMs) => {
      options.journal({ kind: 'asked', message: 'Asked to hand the port over to the next daemon' })
      await turn.handOver(limitMs)
    },
  }).catch(async (error: unknown) => {
    await endEngine(supervisor)
    ending.abort()
    await proxy.close()
    throw error
  })
}

function awakeClock({ clock, config }: DaemonOptions, onWake: (gap: WakeGap) => void): AwakeClock {
  const gapMs = config.health.wakeGapMs
  return createAwakeClock(clock, { gapMs, tickMs: Math.min(5000, gapMs / 4), onWake })
}

async function endLeftEngine({ paths, clock, journal, log }: DaemonOptions): Promise<void> {
  const event = orphanEvent(await endOrphan(recordFile(paths), clock))
  if (event === null) return
  journal(event)
  log.warn(event.message, { ...event.facts, hint: event.hint })
}

/** The journal tells all that happens, so what is counted and shown is what it is told. */
function told(journal: WriteJournal, listeners: readonly WriteJournal[]): WriteJournal {
  return (event) => {
    for (const listen of listeners) listen(event)
    journal(event)
  }
}

function hearing(parts: () => Parts): WriteJournal {
  return (event) => {
    parts().dashboard.tellEvent(event)
    parts().trials.hear(event)
  }
}

function tellWake(gap: WakeGap, { journal }: DaemonOptions, supervisor: Supervisor): void {
  const standstillMs = Math.max(gap.asleepMs, gap.wallJumpMs)
  const message = `Going on after ${formatDuration(standstillMs)} of standstill: the machine slept, this process was stopped, or the clock was set`
  journal({ kind: 'wake', message, facts: { ...gap } })
  supervisor.suspect('the machine woke from sleep')
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
