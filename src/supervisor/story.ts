/** What the journal is told of one step of the engine's life. Pure. */
import type { EngineProfile } from '../engine.ts'
import type { NewJournalEvent } from '../journal.ts'
import { formatDuration } from '../units.ts'
import type {
  EngineState,
  ExitedEvent,
  Lifecycle,
  LifecycleEvent,
  UnloadReason,
} from './engine-state.ts'
import { countDeaths, type RestartSettings } from './restart-policy.ts'

/** The events of one step, oldest first; none when nothing happened that a person would ask about. */
export function tellStep(
  before: Lifecycle,
  event: LifecycleEvent,
  next: Lifecycle,
  settings: RestartSettings,
): readonly NewJournalEvent[] {
  const told: NewJournalEvent[] = []
  if (event.kind === 'exited' && next.lastExit !== before.lastExit) told.push(tellExit(event, next))
  if (event.kind === 'explained' && next.lastExit !== before.lastExit) {
    told.push({ ...tellExplained(next), evidence: event.evidence })
  }
  if (event.kind === 'exited' && hasDied(before, next)) {
    told.push(tellDecision(before, next, settings))
  }
  if (next.state.kind !== before.state.kind || next.lastRunId !== before.lastRunId) {
    told.push(tellState(before, event, next))
  }
  return told
}

function hasDied(before: Lifecycle, next: Lifecycle): boolean {
  const { lastExit } = next
  const isDeath = lastExit !== before.lastExit && lastExit?.reason.cause !== 'asked'
  return isDeath && next.deaths !== before.deaths
}

function tellExit(event: ExitedEvent, { lastExit }: Lifecycle): NewJournalEvent {
  const { pid, exitCode, signal, ranMs, lastLines } = event.exit
  const reason = lastExit?.reason ?? event.reason
  return {
    kind: 'exit',
    message: reason.message,
    hint: reason.hint,
    facts: { cause: reason.cause, runId: event.runId, pid, exitCode, signal, ranMs },
    // After an asked end they explain nothing.
    evidence: reason.cause === 'asked' ? [] : lastLines,
  }
}

function tellExplained({ lastExit }: Lifecycle): NewJournalEvent {
  return {
    kind: 'explained',
    message: lastExit?.reason.message ?? '',
    hint: lastExit?.reason.hint ?? null,
    facts: { cause: lastExit?.reason.cause ?? null, runId: lastExit?.runId ?? null },
  }
}

function tellDecision(
  before: Lifecycle,
  next: Lifecycle,
  { windowMs }: RestartSettings,
): NewJournalEvent {
  const { state, deaths, profile } = next
  const facts = { deaths: deaths.length, ...profile }
  const counted = countDeaths(deaths, windowMs)
  if (state.kind === 'failed') {
    const message = state.reason.permanent
      ? 'Not tried again until the config, the model or the engine changes'
      : `Gave up after ${counted}: ${state.why}`
    return { kind: 'decision', message, hint: state.reason.hint, facts }
  }
  const delayMs =
    state.kind === 'backoff' ? Math.round(state.untilMs - (deaths.at(-1)?.atMs ?? 0)) : 0
  const when = delayMs === 0 ? 'at once' : `in ${formatDuration(delayMs)}`
  const how = describeChange(before.profile, profile)
  return {
    kind: 'decision',
    message: `Start it again ${when}${how === null ? '' : `, ${how}`} (${counted})`,
    facts: { ...facts, delayMs },
  }
}

/** How the next run differs from the one before; null when it does not. */
function describeChange(before: EngineProfile, after: EngineProfile): string | null {
  if (after.safeMode && !before.safeMode) {
    return 'in safe mode: a small context, one slot, no prompt cache'
  }
  if (after.contextHalvings > before.contextHalvings) return 'with half the context'
  return !after.safeMode && before.safeMode ? 'in full again' : null
}

function tellState(before: Lifecycle, event: LifecycleEvent, next: Lifecycle): NewJournalEvent {
  const { state } = next
  const facts = { from: before.state.kind, to: state.kind, because: event.kind }
  switch (state.kind) {
    case 'down':
      return { kind: 'state', message: 'The engine is down, as asked', facts }
    case 'starting':
      return { kind: 'state', message: `The engine starts (run ${state.runId})`, facts }
    case 'ready':
      return { kind: 'state', message: 'The engine is ready: it answered its first token', facts }
    case 'stopping': {
      return { kind: 'state', message: `The engine is being ended: ${whyEnded(state)}`, facts }
    }
    case 'backoff':
      return { kind: 'state', message: 'The engine waits for its next try', facts }
    case 'asleep':
      return { kind: 'state', message: `The model is unloaded${sleepWords[state.reason]}`, facts }
    case 'refused': {
      const { message, hint, ...bytes } = state.refusal
      const told = { ...facts, ...bytes }
      return { kind: 'state', message: `The engine is not started: ${message}`, hint, facts: told }
    }
    case 'failed': {
      const { message, hint } = state.reason
      return { kind: 'state', message: `The engine stays down: ${message}`, hint, facts }
    }
  }
}

function whyEnded({
  condemned,
  unload,
  because,
}: Extract<EngineState, { kind: 'stopping' }>): string {
  if (condemned !== null) return condemned.message
  switch (unload ?? because) {
    case 'asked':
      return 'as asked'
    case 'idle':
      return 'nobody has asked anything for long'
    case 'memory':
      return 'the machine runs short of memory'
    case 'recycle':
      return 'a fresh one takes less memory'
    case 'context':
      return 'the next one gets another context'
  }
}

const sleepWords: Readonly<Record<UnloadReason, string>> = {
  asked: '; a request wakes it',
  idle: ' after a while without requests; a request wakes it',
  memory: ' for want of memory; it is loaded again once there is room',
}
