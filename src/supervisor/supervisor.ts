/** Feeds events to the lifecycle one at a time and carries out its effects. */
import { EventEmitter, once } from 'node:events'
import { rm } from 'node:fs/promises'
import type { ExitReason } from '../engine.ts'
import { messageOf } from '../errors.ts'
import { endChild, isStuck, killGraceMs } from './child.ts'
import { answeredBadly, couldNotPrepare, neverStarted } from './end-reasons.ts'
import {
  initialLifecycle,
  type Effect,
  type ExitRecord,
  type Lifecycle,
  type LifecycleEvent,
  runProfile,
  type UnloadReason,
} from './engine-state.ts'
import { advance } from './lifecycle.ts'
import type { RestartSettings } from './restart-policy.ts'
import { Run, type RunNews } from './run.ts'
import { type StopReport, tellStop } from './stop-report.ts'
import { tellStep } from './story.ts'
import type { SupervisorOptions, SupervisorView } from './supervisor-options.ts'

const noProcess: ExitRecord = {
  pid: null,
  exitCode: null,
  signal: null,
  ranMs: null,
  lastLines: [],
}

/** Deaths that the operating system may know more about than the engine said. */
const explainable = new Set<ExitReason['cause']>(['killed-by-os', 'signal'])

export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #changes = new EventEmitter().setMaxListeners(0)
  #life: Lifecycle = initialLifecycle
  #sinceMs: number
  #run: Run | null = null
  /** The wait of a state that waits for time or for a change; leaving the state ends it. */
  #waiting: AbortController | null = null
  #lastStop: StopReport | null = null

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#sinceMs = options.clock.monotonicMs()
  }

  /** Wants the engine up; past crashes are forgotten when they kept it down. */
  start(): void {
    this.#dispatch({ kind: 'start' })
  }

  /** As `start`, with a fresh engine and a clean sheet: the running one is drained and stopped first. */
  restart(): void {
    this.#dispatch({ kind: 'restart' })
  }

  /** Wants the engine down. `changed` tells when it is. */
  stop(): void {
    this.#dispatch({ kind: 'stop' })
  }

  /** Gives the memory back: for want of memory until there is room, else until a request wakes it. */
  unload(reason: UnloadReason): void {
    this.#dispatch({ kind: 'unload', reason })
  }

  /** Loads the model if it is unloaded, whatever for. */
  load(): void {
    this.#dispatch({ kind: 'load' })
  }

  /** Replaces a ready engine by a fresh one: its open requests end first, later ones are held. */
  recycle(): void {
    this.#dispatch({ kind: 'recycle' })
  }

  /**
   * Halves the context so often in all, for the sake of the machine; 0 is as the config asks. What deaths have
   * taken away stays. A running engine is replaced.
   */
  setContext(halvings: number): void {
    this.#dispatch({ kind: 'context', halvings })
  }

  /** There is room again: what was refused or unloaded for want of it is tried. */
  room(): void {
    this.#dispatch({ kind: 'room' })
  }

  /** A request waits; changes nothing unless it sleeps. */
  wake(): void {
    this.#dispatch({ kind: 'wake' })
  }

  /** An app got an answer of this run: a good one, or one that says that it cannot compute any more. */
  answered(runId: number, answer: 'good' | 'compute-error'): void {
    if (answer === 'good') return this.#dispatch({ kind: 'good-answer', runId })
    const reason = answeredBadly('two answers in a row were "Compute error."')
    this.#dispatch({ kind: 'bad-answer', runId, reason })
  }

  /** Doubts the engine: it has to answer one token within its deadline. `why` is for the log. */
  suspect(why: string): void {
    const run = this.#run
    if (run !== null) this.#carryOutWork('ask', run.ask(why))
  }

  view(): SupervisorView {
    const run = this.#run
    return {
      life: this.#life,
      sinceMs: this.#sinceMs,
      enginePid: run?.child.pid ?? null,
      engineFile: run?.engine.command.file ?? null,
      socketPath: run?.engine.socketPath ?? null,
      counters: run?.counters ?? null,
      lastStop: this.#lastStop,
    }
  }

  /** Resolves at the next change of the view; rejects when `signal` aborts. */
  async changed(signal: AbortSignal): Promise<void> {
    await once(this.#changes, 'change', { signal })
  }

  /** The one place where state changes. */
  #dispatch(event: LifecycleEvent): void {
    const { clock, settings } = this.#options
    const before = this.#life
    const nowMs = clock.monotonicMs()
    const { restart } = settings()
    const { next, effects } = advance(before, event, nowMs, restart)
    if (next === before) return
    this.#life = next
    this.#announce(before, event, next, restart)
    if (next.state.kind !== before.state.kind) {
      this.#sinceMs = nowMs
      this.#waiting?.abort()
    }
    for (const effect of effects) this.#carryOutWork(effect.kind, this.#perform(effect), effect)
    this.#changes.emit('change')
  }

  #announce(
    before: Lifecycle,
    event: LifecycleEvent,
    next: Lifecycle,
    restart: RestartSettings,
  ): void {
    const { journal, log } = this.#options
    for (const told of tellStep(before, event, next, restart)) {
      journal(told)
      const fields = { ...told.facts, hint: told.hint }
      const bad = told.kind === 'exit' && next.lastExit?.reason.cause !== 'asked'
      if (next.state.kind === 'failed') log.error(told.message, fields)
      else if (bad) log.warn(told.message, fields)
      else log.info(told.message, fields)
    }
  }

  #carryOutWork(what: string, work: Promise<void> | undefined, effect?: Effect): void {
    work?.catch((error: unknown) => {
      const why = messageOf(error)
      this.#options.log.error('an effect of the supervisor threw', { effect: what, why })
      // Without a process there will be no exit to tell that this run is over.
      if (effect?.kind === 'spawn' && this.#run === null) {
        this.#neverRan(effect.runId, couldNotPrepare(why))
      }
    })
  }

  #perform(effect: Effect): Promise<void> | undefined {
    if (effect.kind === 'watch') return this.#watch()
    // null when it was asked to stop before the process was there: `#spawn` looks again when it is.
    const run = this.#run?.id === effect.runId ? this.#run : null
    switch (effect.kind) {
      case 'spawn':
        return this.#spawn(effect.runId)
      case 'wait':
        return this.#wait(effect.runId, effect.delayMs)
      case 'check':
        return run?.check()
      case 'kill':
        return run === null ? undefined : this.#kill(run)
      case 'stop':
        return run === null ? undefined : this.#stop(run, effect.polite)
    }
  }

  async #spawn(runId: number): Promise<void> {
    const { preflight, settings } = this.#options
    const profile = runProfile(this.#life)
    const verdict = await preflight(profile)
    if (verdict.kind === 'cannot') return this.#neverRan(runId, verdict.reason)
    if (verdict.kind === 'refuse') {
      return this.#dispatch({ kind: 'refused', runId, refusal: verdict.refusal })
    }
    if (verdict.kind === 'no-room') return this.#dispatch({ kind: 'no-room', runId })
    if (!this.#isStarting(runId)) return this.#neverRan(runId, neverStarted)
    const engine = this.#options.engine(profile)
    // A socket left by a killed engine would make the bind fail.
    await rm(engine.socketPath, { force: true })
    if (!this.#isStarting(runId)) return this.#neverRan(runId, neverStarted)
    const { startTimeoutMs, health } = settings()
    const run = new Run({
      ...this.#options,
      id: runId,
      engine,
      startTimeoutMs,
      health,
      tell: (news) => this.#hear(runId, news),
    })
    this.#run = run
    this.#changes.emit('change')
    await run.watch()
  }

  #isStarting(runId: number): boolean {
    const { state } = this.#life
    return state.kind === 'starting' && state.runId === runId
  }

  #hear(runId: number, news: RunNews): void {
    if (news.kind === 'exited') {
      this.#run = null
      return this.#exited(runId, news.reason, news.exit)
    }
    this.#dispatch({ ...news, runId })
  }

  #neverRan(runId: number, reason: ExitReason): void {
    this.#exited(runId, reason, noProcess)
  }

  #exited(runId: number, reason: ExitReason, exit: ExitRecord): void {
    const { clock, random } = this.#options
    const atEpochMs = clock.nowMs()
    this.#dispatch({ kind: 'exited', runId, reason, atEpochMs, jitter: random(), exit })
    this.#carryOutWork('explain', this.#explain(runId, exit, atEpochMs))
  }

  async #explain(runId: number, exit: ExitRecord, diedAtEpochMs: number): Promise<void> {
    const { lastExit } = this.#life
    const { pid, signal, ranMs } = exit
    if (pid === null || lastExit?.runId !== runId) return
    const { reason } = lastExit
    if (!explainable.has(reason.cause)) return
    const startedAtEpochMs = diedAtEpochMs - (ranMs ?? 0)
    const found = await this.#options.explainDeath({ pid, signal, startedAtEpochMs, diedAtEpochMs })
    if (found === null) return
    const { cause, message, hint, evidence } = found
    const explained = { ...reason, cause, message, hint }
    this.#dispatch({ kind: 'explained', runId, reason: explained, evidence })
  }

  async #stop(run: Run, polite: boolean): Promise<void> {
    const { drain, settings, clock } = this.#options
    const startedAtMs = clock.monotonicMs()
    const { unfinished } = polite ? await drain() : { unfinished: 0 }
    const endedBy = await endChild(run.child, polite, settings().graces, clock)
    const tookMs = Math.round(clock.monotonicMs() - startedAtMs)
    this.#report({ runId: run.id, atEpochMs: clock.nowMs(), unfinished, endedBy, tookMs }, polite)
  }

  /** Told only when it has no effect: that it ended is told by its exit. */
  async #kill(run: Run): Promise<void> {
    const { clock } = this.#options
    run.child.kill()
    if (!(await isStuck(run.child, clock))) return
    const report = { runId: run.id, unfinished: 0, endedBy: 'stuck', tookMs: killGraceMs } as const
    this.#report({ ...report, atEpochMs: clock.nowMs() }, false)
  }

  #report(report: StopReport, polite: boolean): void {
    this.#lastStop = report
    const told = tellStop(report, polite)
    this.#options.journal(told)
    this.#options.log.info(told.message, { ...told.facts, hint: told.hint ?? null })
    this.#changes.emit('change')
  }

  async #wait(runId: number, delayMs: number): Promise<void> {
    const waiting = this.#beginWaiting()
    await this.#options.clock.sleep(delayMs, waiting).then(
      () => this.#dispatch({ kind: 'backoff-over', runId }),
      () => undefined,
    )
  }

  async #watch(): Promise<void> {
    const waiting = this.#beginWaiting()
    await this.#options.untilChanged(waiting).then(
      () => this.#dispatch({ kind: 'changed' }),
      () => undefined,
    )
  }

  #beginWaiting(): AbortSignal {
    this.#waiting = new AbortController()
    return this.#waiting.signal
  }
}
