/** Level and engine to the next step of the ladder, down or back up. Pure. */
import { formatBytes, formatDuration } from '../units.ts'
import { actionOf, type Move } from './headroom-action.ts'
import { forgetFootprint, levelOf, signsOf, watchSignals, type Watches } from './headroom-level.ts'
import { acuteLimits, judgeSignals, reserveOf } from './headroom-signals.ts'
import {
  rankOf,
  type HeadroomAction,
  type HeadroomEngine,
  type HeadroomInput,
  type HeadroomLevel,
  type HeadroomSettings,
  type HeadroomStep,
  type Sign,
} from './headroom.ts'
import type { Known, MemoryReading } from './memory-reading.ts'

/** Whether an engine that was unloaded could come back, with the numbers. */
interface Room {
  /** Since when it could; monotonic, null when it cannot. */
  readonly sinceMs: number | null
  readonly words: string
}

export interface HeadroomState {
  readonly watches: Watches
  readonly level: HeadroomLevel
  /** Why the level is not `ok`, the worst first. */
  readonly signs: readonly Sign[]
  /** At every step but `normal` the proxy passes one request at a time. */
  readonly step: HeadroomStep
  /** How many halvings of the context are the ladder's own, and to be undone. */
  readonly halvings: number
  /** The least that the present run was seen to take; null when none is ready. */
  readonly leastFootprintBytes: Known<number>
  readonly room: Room
  /** The last action; monotonic. */
  readonly actedAtMs: number | null
  /** The last one that ended or began a process; monotonic. */
  readonly restartedAtMs: number | null
}

export const initialHeadroom: HeadroomState = {
  watches: {},
  level: 'ok',
  signs: [],
  step: 'normal',
  halvings: 0,
  leastFootprintBytes: null,
  room: { sinceMs: null, words: 'memory has not been looked at yet' },
  actedAtMs: null,
  restartedAtMs: null,
}

export interface HeadroomAdvance {
  readonly state: HeadroomState
  readonly action: HeadroomAction | null
}

/** Of the reserve, the share below which an engine is too small to be the matter. */
const SMALL_SHARE = 1 / 10

/** Takes one reading into account. At most one action comes of it: carry it out, then go on with `state`. */
export function advanceHeadroom(
  before: HeadroomState,
  { reading, engine }: HeadroomInput,
  settings: HeadroomSettings,
): HeadroomAdvance {
  const nowMs = reading.atMs
  const settled = settle(before, { reading, engine }, settings)
  const judgements = judgeSignals(reading, expectedBytes(settled, engine), settings)
  const watches = watchSignals(settled.watches, judgements, nowMs, settings)
  const signs = signsOf(watches, judgements, nowMs)
  // What a recycle was for is gone: should it come back, another one may help again.
  const cured = settled.step === 'recycle' && rankOf(reachOf(signs)) < rankOf('recycle')
  const step = cured ? 'one-at-a-time' : settled.step
  const looked = { ...settled, step, watches, signs, level: levelOf(signs) }
  const state = { ...looked, room: roomFor({ state: looked, reading, engine, settings }) }
  const move = decide({ state, reading, engine, settings })
  if (move === null) return { state, action: null }
  return {
    state: moved(state, move, nowMs),
    action: actionOf(move, state.level, { reading, engine }),
  }
}

/**
 * Whether the engine may be started now. The ladder itself takes back an unload (`load`), so this is for
 * every other reason to start: a request that wakes it, the user, a restart after a crash.
 */
export function mayLoad(
  state: HeadroomState,
): { readonly kind: 'yes' } | { readonly kind: 'no'; readonly why: string } {
  if (state.level === 'critical') return { kind: 'no', why: reasonsOf(state.signs) }
  if (state.step === 'unload') return { kind: 'no', why: state.room.words }
  return { kind: 'yes' }
}

/** What happened to the engine apart from the ladder: loaded by the user, its halvings cleared. */
function settle(
  before: HeadroomState,
  { reading, engine }: HeadroomInput,
  { stepEveryMs }: HeadroomSettings,
): HeadroomState {
  const ready = engine.state === 'ready'
  const leastFootprintBytes = ready ? leastOf(before, reading) : null
  const watches = ready ? before.watches : forgetFootprint(before.watches)
  const state = { ...before, leastFootprintBytes, watches }
  // What the last action asked for needs its time before the engine shows it.
  if (before.restartedAtMs !== null && reading.atMs - before.restartedAtMs < stepEveryMs)
    return state
  const halvings = Math.min(before.halvings, engine.contextHalvings)
  const undone = state.step === 'smaller-context' && halvings === 0
  const loaded = state.step === 'unload' && (isLoaded(engine) || engine.state === 'off')
  return { ...state, halvings, step: undone || loaded ? stepWith(halvings) : state.step }
}

function leastOf(
  { leastFootprintBytes: least }: HeadroomState,
  { footprintBytes }: MemoryReading,
): Known<number> {
  return least === null || footprintBytes === null
    ? (least ?? footprintBytes)
    : Math.min(least, footprintBytes)
}

interface Situation extends HeadroomInput {
  readonly state: HeadroomState
  readonly settings: HeadroomSettings
}

function decide(situation: Situation): Move | null {
  const { state, reading, settings } = situation
  const mayRestart = since(state.restartedAtMs, reading.atMs) >= settings.stepEveryMs
  if (state.level === 'critical' && mayRestart) {
    const move = shed(situation)
    if (move !== null) return move
  }
  const reach = rankOf(reachOf(state.signs))
  const actedMs = since(state.actedAtMs, reading.atMs)
  if (reach > 0 && reach >= rankOf(state.step)) {
    return actedMs >= settings.stepEveryMs ? descend(situation) : null
  }
  const calmMs = Math.max(settings.calmAfterMs, settings.stepEveryMs)
  return actedMs >= calmMs ? climb(situation) : null
}

/** Critical: the memory is wanted now, idle or not. A leak is given back by a restart alone. */
function shed(situation: Situation): Move | null {
  const { state, engine } = situation
  if (!isLoaded(engine) || isSmall(situation)) return null
  const why = reasonsOf(state.signs)
  const untried = rankOf(state.step) < rankOf('recycle')
  if (engine.state === 'ready' && untried && isOverPlan(situation)) {
    return { kind: 'recycle', step: 'recycle', halvings: state.halvings, why }
  }
  return { kind: 'unload', step: 'unload', halvings: state.halvings, why }
}

/** One step down, those that restart the engine only when it is idle. */
function descend(situation: Situation): Move | null {
  const { state, engine } = situation
  const why = reasonsOf(state.signs)
  const { halvings } = state
  if (state.step === 'normal') {
    return { kind: 'limit-requests', step: 'one-at-a-time', halvings, why }
  }
  if (engine.state !== 'ready' || !engine.idle || isSmall(situation)) return null
  const reach = rankOf(reachOf(state.signs))
  const recycles = state.step === 'one-at-a-time' && reach >= rankOf('recycle')
  if (recycles && (isOverPlan(situation) || hasGrown(situation))) {
    return { kind: 'recycle', step: 'recycle', halvings, why }
  }
  const shrinks = state.step !== 'unload' && reach >= rankOf('smaller-context')
  if (!shrinks || engine.contextHalvings >= engine.maxContextHalvings) return null
  return { kind: 'smaller-context', step: 'smaller-context', halvings: halvings + 1, why }
}

/** One step back up; to take more memory needs more than the want of a reason against it. */
function climb(situation: Situation): Move | null {
  const { state, reading, engine, settings } = situation
  const { halvings } = state
  const calm = calmFor(settings)
  switch (state.step) {
    case 'normal':
    case 'recycle':
      return null
    case 'one-at-a-time':
      return { kind: 'lift-limit', step: 'normal', halvings, why: calm }
    case 'smaller-context': {
      const free = engine.state === 'asleep' || (engine.state === 'ready' && engine.idle)
      if (!free || state.level !== 'ok') return null
      const step = stepWith(halvings - 1)
      return { kind: 'larger-context', step, halvings: halvings - 1, why: calm }
    }
    case 'unload': {
      const lasts = since(state.room.sinceMs, reading.atMs) >= settings.tightAfterMs
      if (engine.state !== 'asleep' || state.room.sinceMs === null || !lasts) return null
      return { kind: 'load', step: stepWith(halvings), halvings, why: state.room.words }
    }
  }
}

/**
 * Beside the engine so much must be left that it would not be unloaded at once. When a reason not to grow
 * remains, as a pressure level that stays for days, there must be room beyond the whole reserve. At ease,
 * unknown numbers are no obstacle.
 */
function roomFor({ state, reading, engine, settings }: Situation): Room {
  const { availableBytes } = reading
  const { plannedBytes } = engine
  const ok = state.level === 'ok'
  const sinceMs = state.room.sinceMs ?? reading.atMs
  const none = { sinceMs: null, words: reasonsOf(state.signs) }
  if (rankOf(reachOf(state.signs)) > rankOf('one-at-a-time')) return none
  if (availableBytes === null || plannedBytes === null) {
    return ok ? { sinceMs, words: calmFor(settings) } : none
  }
  const reserve = reserveOf(reading, settings)
  const spare = ok ? acuteLimits(reserve).calm : reserve
  const needed = `${formatBytes(plannedBytes)} needed, ${formatBytes(spare)} to be left free`
  const words = `${formatBytes(availableBytes)} available, ${needed}`
  return { sinceMs: availableBytes < plannedBytes + spare ? null : sinceMs, words }
}

function calmFor({ calmAfterMs }: HeadroomSettings): string {
  return `no sign of want for ${formatDuration(calmAfterMs)}`
}

function moved(state: HeadroomState, { kind, step, halvings }: Move, nowMs: number): HeadroomState {
  const next = { ...state, step, halvings, actedAtMs: nowMs }
  if (kind === 'limit-requests' || kind === 'lift-limit') return next
  const watches = forgetFootprint(state.watches)
  return { ...next, watches, leastFootprintBytes: null, restartedAtMs: nowMs }
}

function isLoaded({ state }: HeadroomEngine): boolean {
  return state === 'ready' || state === 'starting'
}

/** Nobody is helped by the end of an engine that takes next to nothing. */
function isSmall({ reading, engine, settings }: Situation): boolean {
  const bytes = reading.footprintBytes ?? engine.plannedBytes
  return bytes !== null && bytes < reserveOf(reading, settings) * SMALL_SHARE
}

function isOverPlan({ state, reading, engine, settings }: Situation): boolean {
  return isMore(reading.footprintBytes, expectedBytes(state, engine), settings)
}

/** A plan that is too low is no leak: the least that the run took is expected as well. */
function expectedBytes(
  { leastFootprintBytes }: HeadroomState,
  { state, plannedBytes }: HeadroomEngine,
): Known<number> {
  if (state !== 'ready' || plannedBytes === null) return null
  return Math.max(plannedBytes, leastFootprintBytes ?? 0)
}

function hasGrown({ state, reading, settings }: Situation): boolean {
  return isMore(reading.footprintBytes, state.leastFootprintBytes, settings)
}

function isMore(
  bytes: Known<number>,
  thanBytes: Known<number>,
  { leakMarginBytes }: HeadroomSettings,
): boolean {
  return bytes !== null && thanBytes !== null && bytes - thanBytes >= leakMarginBytes
}

/** Where the ladder stands with a loaded engine, after a time of want. */
function stepWith(halvings: number): HeadroomStep {
  return halvings > 0 ? 'smaller-context' : 'one-at-a-time'
}

/** The furthest step that any of the signs can justify. */
function reachOf(signs: readonly Sign[]): HeadroomStep {
  return signs.reduce<HeadroomStep>(
    (deepest, { reach }) => (rankOf(reach) > rankOf(deepest) ? reach : deepest),
    'normal',
  )
}

function reasonsOf(signs: readonly Sign[]): string {
  return signs.map(({ words }) => words).join('; ')
}

function since(atMs: number | null, nowMs: number): number {
  return atMs === null ? Infinity : nowMs - atMs
}
