/** What follows when memory is to be given back, and when it may be taken again. Pure. */
import type { Lifecycle, LifecycleEvent, Step, UnloadReason } from './engine-state.ts'
import type { RestartSettings } from './restart-policy.ts'
import { beginRun, endRun, fallAsleep, stay } from './transitions.ts'

type MemoryEvent = Extract<
  LifecycleEvent,
  { kind: 'unload' | 'wake' | 'load' | 'recycle' | 'context' | 'room' }
>

export function whenAboutMemory(
  life: Lifecycle,
  event: MemoryEvent,
  settings: Pick<RestartSettings, 'maxContextHalvings'>,
): Step {
  switch (event.kind) {
    case 'unload':
      return whenUnloaded(life, event.reason)
    case 'wake':
      return whenWoken(life)
    case 'load':
      return whenLoadAsked(life)
    case 'recycle':
      return whenRecycled(life)
    case 'context':
      return whenContextSet(life, event.halvings, settings)
    case 'room':
      return whenRoom(life)
  }
}

function whenUnloaded(life: Lifecycle, reason: UnloadReason): Step {
  if (life.wanted === 'down') return stay(life)
  switch (life.state.kind) {
    case 'starting':
    case 'ready':
      return endRun(life, 'asked', reason)
    case 'asleep':
    case 'backoff':
      return fallAsleep(life, reason)
    case 'stopping':
      return stay({ ...life, state: { ...life.state, unload: reason } })
    case 'down':
    case 'failed':
    case 'refused':
      return stay(life)
  }
}

/** What the machine has no room for is no better off for being asked again and again. */
function whenWoken(life: Lifecycle): Step {
  const { state } = life
  if (state.kind === 'asleep') return state.reason === 'memory' ? stay(life) : beginRun(life)
  if (state.kind !== 'stopping' || state.unload === null || state.unload === 'memory') {
    return stay(life)
  }
  return stay({ ...life, state: { ...state, unload: null } })
}

/** Before the run it is looked at whether it fits: a person may ask for it at any time. */
function whenLoadAsked(life: Lifecycle): Step {
  const { state } = life
  if (state.kind === 'asleep' || state.kind === 'refused') return beginRun(life)
  if (state.kind !== 'stopping' || state.unload === null) return stay(life)
  return stay({ ...life, state: { ...state, unload: null } })
}

function whenRecycled(life: Lifecycle): Step {
  return life.state.kind === 'ready' ? endRun(life, 'recycle', null) : stay(life)
}

/** What deaths have taken away stays away, and never so few tokens are left that they are of no use. */
function whenContextSet(
  life: Lifecycle,
  halvings: number,
  { maxContextHalvings }: Pick<RestartSettings, 'maxContextHalvings'>,
): Step {
  const forDeaths = life.profile.contextHalvings
  const headroomHalvings = Math.max(0, Math.min(halvings, maxContextHalvings) - forDeaths)
  if (headroomHalvings === life.headroomHalvings) return stay(life)
  return endRun({ ...life, headroomHalvings }, 'context', null)
}

function whenRoom(life: Lifecycle): Step {
  const { state } = life
  const isKeptOut =
    state.kind === 'refused' || (state.kind === 'asleep' && state.reason === 'memory')
  return isKeptOut ? beginRun(life) : stay(life)
}
