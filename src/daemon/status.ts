/** What the daemon knows, as the Status that the CLI shows. Pure. */
import type { EngineCounters } from '../engine.ts'
import type { ProxyCounts } from '../proxy/upstream.ts'
import type { EngineState, UnloadReason } from '../supervisor/engine-state.ts'
import { countDeaths } from '../supervisor/restart-policy.ts'
import type { SupervisorView } from '../supervisor/supervisor-options.ts'
import { formatDuration } from '../units.ts'
import type { Status } from './control-protocol.ts'

export interface StatusParts {
  readonly daemon: Omit<Status['daemon'], 'uptimeMs'> & { readonly startedAtMs: number }
  readonly view: SupervisorView
  readonly engine: {
    readonly path: string
    readonly version: string | null
    readonly trial: Status['engine']['trial']
  }
  readonly model: Status['model']
  readonly proxy: {
    readonly url: string
    readonly counts: ProxyCounts
    readonly alsoListening: Status['proxy']['alsoListening']
    readonly today: Status['proxy']['today']
    readonly queue: Status['proxy']['queue']
  }
  readonly memory: Status['memory']
  readonly gpu: Status['gpu']
  readonly restartWindowMs: number
  /** Monotonic. */
  readonly nowMs: number
}

export function buildStatus(parts: StatusParts): Status {
  const { daemon, view, nowMs } = parts
  const { startedAtMs, ...rest } = daemon
  const { url, alsoListening, counts, today, queue } = parts.proxy
  const { served: _served, ...shown } = counts
  return {
    daemon: { ...rest, uptimeMs: Math.round(nowMs - startedAtMs) },
    wanted: view.life.wanted,
    engine: engineStatus(parts),
    model: parts.model,
    proxy: { url, alsoListening, ...shown, today, queue },
    memory: parts.memory,
    gpu: parts.gpu,
    throughput: throughput(view.counters),
  }
}

function engineStatus(parts: StatusParts): Status['engine'] {
  const { view, engine, nowMs, restartWindowMs } = parts
  const { lastStop } = view
  const { state, lastExit, restarts, deaths, profile } = view.life
  return {
    state: state.kind,
    detail: withReason(describeEngine(view, nowMs, restartWindowMs), parts),
    hint: hintOf(state),
    sinceMs: Math.round(nowMs - view.sinceMs),
    pid: view.enginePid,
    version: engine.version,
    path: view.engineFile ?? engine.path,
    restarts,
    lastExit:
      lastExit === null
        ? null
        : {
            cause: lastExit.reason.cause,
            message: lastExit.reason.message,
            hint: lastExit.reason.hint,
            at: new Date(lastExit.atEpochMs).toISOString(),
          },
    loadProgress: state.kind === 'starting' ? state.loadProgress : null,
    deaths: deaths.length,
    safeMode: profile.safeMode,
    trial: engine.trial,
    lastStop:
      lastStop === null
        ? null
        : {
            at: new Date(lastStop.atEpochMs).toISOString(),
            unfinished: lastStop.unfinished,
            endedBy: lastStop.endedBy,
            tookMs: lastStop.tookMs,
          },
  }
}

/** A shorter time is that of a single token, and says nothing. */
const measurableS = 0.05

/** Means over the present run; null before it has finished anything. */
function throughput(counters: EngineCounters | null): Status['throughput'] {
  return {
    generatedTokensPerSecond: rate(counters?.generatedTokens, counters?.generatedSeconds),
    promptTokensPerSecond: rate(counters?.promptTokens, counters?.promptSeconds),
  }
}

function rate(tokens: number | null | undefined, seconds: number | null | undefined) {
  if (tokens == null || seconds == null || seconds < measurableS) return null
  return tokens / seconds
}

/** What the machine is short of belongs to the state of an engine that it has no room for. */
function withReason(described: string, { view, memory }: StatusParts): string {
  const { state } = view.life
  const isKeptOut = state.kind === 'asleep' && state.reason === 'memory'
  return isKeptOut && memory.reason !== null ? `${described} (${memory.reason})` : described
}

function hintOf(state: EngineState): string | null {
  switch (state.kind) {
    case 'refused':
      return state.refusal.hint
    case 'failed':
      return state.reason.hint
    case 'down':
      return 'Start it: oss20bd start'
    case 'asleep':
      return state.reason === 'memory' ? 'Close other apps: it is loaded once there is room' : null
    case 'starting':
    case 'ready':
    case 'stopping':
    case 'backoff':
      return null
  }
}

/** The state in words, with its reason. */
export function describeEngine(view: SupervisorView, nowMs: number, windowMs: number): string {
  const { state, wanted, deaths, profile, headroomHalvings } = view.life
  switch (state.kind) {
    case 'down':
      return 'stopped, as asked'
    case 'starting':
      if (state.phase === 'checking') return 'loaded, asking it for a first token'
      return state.loadProgress === null
        ? 'starting'
        : `loading the model, ${Math.round(state.loadProgress * 100)} %`
    case 'ready':
      if (profile.safeMode) return `answering in safe mode after ${countDeaths(deaths, windowMs)}`
      return headroomHalvings > 0
        ? 'answering with a smaller context, to spare memory'
        : 'answering'
    case 'stopping':
      if (state.condemned !== null) return `ending it: ${state.condemned.message}`
      return wanted === 'up'
        ? `finishing open requests, then ${whatFollows(state)}`
        : 'stopping, as asked'
    case 'backoff': {
      const leftMs = Math.max(0, state.untilMs - nowMs)
      const how = profile.safeMode ? ' in safe mode' : ''
      return `next try${how} in ${formatDuration(leftMs)}, ${countDeaths(deaths, windowMs)}`
    }
    case 'asleep':
      return sleepDetails[state.reason]
    case 'refused':
      return state.refusal.message
    case 'failed':
      return `${state.reason.permanent ? 'cannot run' : 'gave up'}: ${state.reason.message} (${state.why})`
  }
}

function whatFollows({ unload, because }: Extract<EngineState, { kind: 'stopping' }>): string {
  if (unload === 'memory') return 'unloading the model for want of memory'
  if (unload !== null) return 'unloading the model'
  if (because === 'recycle') return 'starting a fresh one that takes less memory'
  return because === 'context' ? 'starting again with another context' : 'starting again'
}

const sleepDetails: Readonly<Record<UnloadReason, string>> = {
  asked: 'the model is unloaded; the next request loads it again',
  idle: 'the model was unloaded after a while without requests; the next request loads it again',
  memory: 'the model is unloaded for want of memory; it is loaded again once there is room',
}
