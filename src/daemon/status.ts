/** What the daemon knows, as the Status that the CLI shows. Pure. */
import type { EngineCounters } from '../engine.ts'
import type { ProxyCounts } from '../proxy/upstream.ts'
import { countDeaths } from '../supervisor/restart-policy.ts'
import type { SupervisorView } from '../supervisor/supervisor-options.ts'
import { formatDuration } from '../units.ts'
import type { Status } from './control-protocol.ts'

export interface StatusParts {
  readonly daemon: Omit<Status['daemon'], 'uptimeMs'> & { readonly startedAtMs: number }
  readonly view: SupervisorView
  readonly engine: { readonly path: string; readonly version: string | null }
  readonly model: Status['model']
  readonly proxy: {
    readonly url: string
    readonly counts: ProxyCounts
    readonly queue: Status['proxy']['queue']
  }
  readonly memory: Status['memory']
  readonly restartWindowMs: number
  /** Monotonic. */
  readonly nowMs: number
}

export function buildStatus(parts: StatusParts): Status {
  const { daemon, view, nowMs } = parts
  const { startedAtMs, ...rest } = daemon
  const { url, counts, queue } = parts.proxy
  const { served: _served, ...shown } = counts
  return {
    daemon: { ...rest, uptimeMs: Math.round(nowMs - startedAtMs) },
    wanted: view.life.wanted,
    engine: engineStatus(parts),
    model: parts.model,
    proxy: { url, ...shown, queue },
    memory: parts.memory,
    throughput: throughput(view.counters),
  }
}

function engineStatus({ view, engine, nowMs, restartWindowMs }: StatusParts): Status['engine'] {
  const { lastStop } = view
  const { state, lastExit, restarts, deaths, profile } = view.life
  return {
    state: state.kind,
    detail: describe(view, nowMs, restartWindowMs),
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

/** The state in words, with its reason. */
function describe(view: SupervisorView, nowMs: number, windowMs: number): string {
  const { state, wanted, deaths, profile } = view.life
  switch (state.kind) {
    case 'down':
      return 'stopped, as asked'
    case 'starting':
      if (state.phase === 'checking') return 'loaded, asking it for a first token'
      return state.loadProgress === null
        ? 'starting'
        : `loading the model, ${Math.round(state.loadProgress * 100)} %`
    case 'ready':
      return profile.safeMode
        ? `answering in safe mode after ${countDeaths(deaths, windowMs)}`
        : 'answering'
    case 'stopping':
      if (state.condemned !== null) return `ending it: ${state.condemned.message}`
      if (state.unload && wanted === 'up')
        return 'finishing open requests, then unloading the model'
      return wanted === 'up' ? 'finishing open requests, then starting again' : 'stopping, as asked'
    case 'backoff': {
      const leftMs = Math.max(0, state.untilMs - nowMs)
      const how = profile.safeMode ? ' in safe mode' : ''
      return `next try${how} in ${formatDuration(leftMs)}, ${countDeaths(deaths, windowMs)}`
    }
    case 'asleep':
      return 'the model is unloaded; the next request loads it again'
    case 'refused':
      return state.refusal.message
    case 'failed':
      return `${state.reason.permanent ? 'cannot run' : 'gave up'}: ${state.reason.message} (${state.why})`
  }
}
