/** Feeds events to the lifecycle one at a time and carries out its effects. */
import { EventEmitter, once } from 'node:events'
import { rm } from 'node:fs/promises'
import type { Clock } from '../clock.ts'
import type { Engine, ExitReason, LogLevel } from '../engine.ts'
import { messageOf } from '../errors.ts'
import type { Logger } from '../log.ts'
import { endChild, spawnEngine, type Child, type Graces } from './child.ts'
import { couldNotPrepare, neverStarted, noAnswer, startTimedOut } from './end-reasons.ts'
import { askCanary, untilHealthy } from './health.ts'
import {
  advance,
  initialLifecycle,
  type Effect,
  type Lifecycle,
  type LifecycleEvent,
} from './lifecycle.ts'
import { recordEngine } from './orphan.ts'
import type { RestartSettings } from './restart-policy.ts'

export interface SupervisorOptions {
  /** Called before each run, so that a changed engine or model is picked up. */
  readonly engine: () => Engine
  /** Looks at the engine and the model before a run: a reason not to start, or null. */
  readonly preflight: () => Promise<ExitReason | null>
  readonly restart: RestartSettings
  readonly graces: Graces
  /** A start without any sign of progress (a line, a load value) for this long is over. */
  readonly startTimeoutMs: number
  /** Waits for open requests before a polite stop, then closes what is left of them. */
  readonly drain: () => Promise<{ readonly unfinished: number }>
  /** Where the running engine is written down, for the next daemon. */
  readonly recordFile: string
  readonly clock: Clock
  readonly log: Logger
  /** The engine's own output. */
  readonly engineLog: (level: LogLevel, text: string) => void
  /** Random, 0 to 1. */
  readonly random: () => number
}

export interface SupervisorView {
  readonly life: Lifecycle
  /** When the present state began; monotonic. */
  readonly sinceMs: number
  readonly enginePid: number | null
  readonly engineFile: string | null
  readonly socketPath: string | null
}

interface Run {
  readonly id: number
  readonly engine: Engine
  readonly child: Child
  /** Aborts at the exit: all that waits for this run ends with it. */
  readonly over: AbortController
  readonly startedAtMs: number
  lastSignMs: number
}

export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #changes = new EventEmitter().setMaxListeners(0)
  #life: Lifecycle = initialLifecycle
  #sinceMs: number
  #run: Run | null = null
  #backoff: AbortController | null = null

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#sinceMs = options.clock.monotonicMs()
  }

  /** Wants the engine up and forgets past crashes. */
  start(): void {
    this.#dispatch({ kind: 'start' })
  }

  /** As `start`, with a fresh engine: the running one is drained and stopped first. */
  restart(): void {
    this.#dispatch({ kind: 'restart' })
  }

  /** Wants the engine down. `changed` tells when it is. */
  stop(): void {
    this.#dispatch({ kind: 'stop' })
  }

  view(): SupervisorView {
    return {
      life: this.#life,
      sinceMs: this.#sinceMs,
      enginePid: this.#run?.child.pid ?? null,
      engineFile: this.#run?.engine.command.file ?? null,
      socketPath: this.#run?.engine.socketPath ?? null,
    }
  }

  /** Resolves at the next change of the view; rejects when `signal` aborts. */
  async changed(signal: AbortSignal): Promise<void> {
    await once(this.#changes, 'change', { signal })
  }

  /** The one place where state changes. */
  #dispatch(event: LifecycleEvent): void {
    const { clock, restart } = this.#options
    const before = this.#life
    const nowMs = clock.monotonicMs()
    const { next, effects } = advance(before, event, nowMs, restart)
    if (next === before) return
    this.#life = next
    if (next.state.kind !== before.state.kind) {
      this.#announce(before, next, nowMs)
      this.#sinceMs = nowMs
    }
    if (next.state.kind !== 'backoff') this.#backoff?.abort()
    for (const effect of effects) this.#carryOut(effect)
    this.#changes.emit('change')
  }

  #announce(before: Lifecycle, next: Lifecycle, nowMs: number): void {
    const { log } = this.#options
    const fields = { from: before.state.kind, afterMs: Math.round(nowMs - this.#sinceMs) }
    if (next.lastExit !== before.lastExit && next.lastExit !== null) {
      const { cause, message } = next.lastExit.reason
      if (cause === 'asked') log.info('engine exited', { cause, message })
      else log.warn('engine exited', { cause, message })
    }
    if (next.state.kind === 'failed') {
      log.error('engine failed', { ...fields, why: next.state.why, hint: next.state.reason.hint })
    } else {
      log.info(`engine ${next.state.kind}`, fields)
    }
  }

  #carryOut(effect: Effect): void {
    const work = this.#perform(effect)
    work.catch((error: unknown) => {
      const why = messageOf(error)
      this.#options.log.error('an effect of the supervisor threw', { effect: effect.kind, why })
      // Without a process there will be no exit to tell that this run is over.
      if (effect.kind === 'spawn' && this.#run === null) {
        this.#exited(effect.runId, couldNotPrepare(why))
      }
    })
  }

  async #perform(effect: Effect): Promise<void> {
    // null when it was asked to stop before the process was there: `#spawn` looks again when it is.
    const run = this.#run?.id === effect.runId ? this.#run : null
    switch (effect.kind) {
      case 'spawn':
        return this.#spawn(effect.runId)
      case 'wait':
        return this.#wait(effect.runId, effect.delayMs)
      case 'check':
        return run === null ? undefined : this.#check(run)
      case 'kill':
        return run?.child.kill()
      case 'stop':
        return run === null ? undefined : this.#stop(run, effect.polite)
    }
  }

  async #spawn(runId: number): Promise<void> {
    const { preflight, clock } = this.#options
    const refusal = await preflight()
    if (refusal !== null) return this.#exited(runId, refusal)
    if (!this.#isStarting(runId)) return this.#exited(runId, neverStarted)
    const engine = this.#options.engine()
    // A socket left by a killed engine would make the bind fail.
    await rm(engine.socketPath, { force: true })
    if (!this.#isStarting(runId)) return this.#exited(runId, neverStarted)
    const startedAtMs = clock.monotonicMs()
    const run: Run = {
      id: runId,
      engine,
      child: spawnEngine(engine, (line) => {
        run.lastSignMs = clock.monotonicMs()
        this.#options.engineLog(line.level, line.text)
        for (const fact of line.facts) this.#dispatch({ ...fact, runId })
      }),
      over: new AbortController(),
      startedAtMs,
      lastSignMs: startedAtMs,
    }
    this.#run = run
    this.#changes.emit('change')
    await Promise.all([this.#watchExit(run), this.#watchStart(run), this.#watchHealth(run)])
  }

  #isStarting(runId: number): boolean {
    const { state } = this.#life
    return state.kind === 'starting' && state.runId === runId
  }

  #exited(runId: number, reason: ExitReason): void {
    const { clock, random } = this.#options
    this.#dispatch({
      kind: 'exited',
      runId,
      reason,
      atEpochMs: clock.nowMs(),
      jitter: random(),
    })
  }

  async #watchExit(run: Run): Promise<void> {
    const { recordFile, log } = this.#options
    const recorded = run.child.pid === null ? undefined : recordEngine(recordFile, run.child.pid)
    // A full disk must not cost us the engine; it leaves with us anyway when its stdin closes.
    const written = recorded?.catch((error: unknown) =>
      log.warn('cannot write down the engine', { error: messageOf(error) }),
    )
    const exit = await run.child.exited
    run.over.abort()
    this.#run = null
    this.#exited(run.id, run.engine.classifyExit(exit))
    await written
  }

  async #watchStart(run: Run): Promise<void> {
    const { clock, startTimeoutMs } = this.#options
    for (;;) {
      const leftMs = run.lastSignMs + startTimeoutMs - clock.monotonicMs()
      if (!this.#isStarting(run.id)) return
      if (leftMs <= 0) return this.#condemn(run, startTimedOut(startTimeoutMs))
      try {
        await clock.sleep(leftMs, run.over.signal)
      } catch {
        return
      }
    }
  }

  async #watchHealth(run: Run): Promise<void> {
    try {
      await this.#options.clock.sleep(1000, run.over.signal)
      if (!this.#isStarting(run.id)) return
      await untilHealthy(run.engine, run.over.signal)
    } catch {
      return
    }
    this.#dispatch({ kind: 'loaded', runId: run.id })
  }

  async #check(run: Run): Promise<void> {
    let result
    try {
      result = await askCanary(run.engine, run.over.signal)
    } catch {
      return
    }
    if (result.kind === 'answered') this.#dispatch({ kind: 'answered', runId: run.id })
    else this.#condemn(run, noAnswer(result.why))
  }

  #condemn(run: Run, reason: ExitReason): void {
    this.#dispatch({ kind: 'condemned', runId: run.id, reason })
  }

  async #stop(run: Run, polite: boolean): Promise<void> {
    const { drain, graces, clock, log } = this.#options
    if (polite) {
      const { unfinished } = await drain()
      if (unfinished > 0) log.warn('requests cut off by the stop', { unfinished })
    }
    const needed = await endChild(run.child, polite, graces, clock)
    if (polite && needed !== 'asked') log.warn('engine did not leave when asked', { needed })
  }

  async #wait(runId: number, delayMs: number): Promise<void> {
    const backoff = new AbortController()
    this.#backoff = backoff
    try {
      await this.#options.clock.sleep(delayMs, backoff.signal)
    } catch {
      return
    }
    this.#dispatch({ kind: 'backoff-over', runId })
  }
}
