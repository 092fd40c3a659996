/** What the supervisor knows, as the proxy needs it. Pure. */
import type { Upstream } from '../proxy/upstream.ts'
import type { EngineState, UnloadReason } from '../supervisor/engine-state.ts'
import type { SupervisorView } from '../supervisor/supervisor-options.ts'
import { formatDuration } from '../units.ts'

/**
 * Whether a request can go through, must wait, or cannot be served. `nowMs` is monotonic; `shortage` is why
 * no run may begin now, if that is so; `isGoingBack`: another engine is about to be started.
 */
export function upstreamOf(
  view: SupervisorView,
  nowMs: number,
  shortage: string | null = null,
  isGoingBack = false,
): Upstream {
  if (isGoingBack) return pending('The engine that was used before is put in use again')
  const { state, wanted } = view.life
  switch (state.kind) {
    case 'ready':
      return view.socketPath === null
        ? pending('The engine is being replaced')
        : { kind: 'ready', socketPath: view.socketPath, runId: state.runId }
    case 'starting':
      return pending(describeStart(state.loadProgress), state.loadProgress)
    case 'backoff': {
      const leftMs = Math.max(0, state.untilMs - nowMs)
      return pending(`The engine died; next try in ${formatDuration(leftMs)}`)
    }
    case 'stopping':
      return wanted === 'up'
        ? pending(describeEnd(state))
        : unavailable('The engine is stopping, as asked', 'Start it with: oss20bd start')
    case 'down':
      return unavailable('The engine was stopped, as asked', 'Start it with: oss20bd start')
    case 'asleep':
      return pending(describeSleep(state.reason, shortage))
    case 'refused':
      return unavailable(
        `The engine is not started: ${state.refusal.message}`,
        state.refusal.hint ?? 'See why with: oss20bd why',
      )
    case 'failed':
      return unavailable(
        `The engine does not run: ${state.reason.message}`,
        state.reason.hint ?? 'Try again with: oss20bd restart',
      )
  }
}

function describeEnd({ unload, because }: Extract<EngineState, { kind: 'stopping' }>): string {
  if (unload === 'memory') return outOfRoom(null)
  if (because === 'asked') return 'The engine is restarting'
  return because === 'recycle'
    ? 'The engine is restarting, to take less memory'
    : 'The engine is restarting, with another context'
}

function describeSleep(reason: UnloadReason, shortage: string | null): string {
  if (reason === 'memory') return outOfRoom(shortage)
  return 'The model is being loaded again, after it was unloaded'
}

function outOfRoom(shortage: string | null): string {
  const why = shortage === null ? '' : ` (${shortage})`
  return `The machine is too short of memory for the model${why}; it is loaded again once there is room`
}

function describeStart(loadProgress: number | null): string {
  if (loadProgress === null) return 'The model is loading'
  return `The model is loading (${Math.round(loadProgress * 100)} %)`
}

function pending(message: string, progress: number | null = null): Upstream {
  return { kind: 'pending', message, progress }
}

function unavailable(message: string, hint: string): Upstream {
  return { kind: 'unavailable', message, hint }
}
