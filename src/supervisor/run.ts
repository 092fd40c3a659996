/** One run of the engine, from spawn to exit: its process and all that watches it. It tells; it decides nothing. */
import type { Clock } from '../clock.ts'
import type { Engine, EngineCounters, EngineLine, ExitReason, LogLevel } from '../engine.ts'
import { messageOf } from '../errors.ts'
import type { WriteJournal } from '../journal.ts'
import type { Logger } from '../log.ts'
import { type Child, spawnEngine } from './child.ts'
import { answeredBadly, hung, noAnswer, startTimedOut } from './end-reasons.ts'
import type { ExitRecord } from './engine-state.ts'
import { askFirstToken, readSlots, untilHealthy } from './health.ts'
import { recordEngine } from './orphan.ts'
import { type Finding, type HealthSettings, VitalWatch } from './vital-watch.ts'

export interface RunOptions {
  readonly id: number
  readonly engine: Engine
  /** A start without any sign of progress (a line, a load value) for this long is over. */
  readonly startTimeoutMs: number
  readonly health: HealthSettings
  /** Where the running engine is written down, for the next daemon. */
  readonly recordFile: string
  readonly clock: Clock
  readonly log: Logger
  readonly journal: WriteJournal
  readonly engineLog: (level: LogLevel, text: string) => void
  /** Why it may not have requests although it answers; null when it may. Rejects only when aborted. */
  readonly prove: (engine: Engine, signal: AbortSignal) => Promise<ExitReason | null>
  readonly tell: (news: RunNews) => void
}

/** What a run tells. The last is always `exited`. */
export type RunNews =
  | { readonly kind: 'load-progress'; readonly value: number }
  | { readonly kind: 'loaded' | 'check-passed' }
  | { readonly kind: 'bad-answer' | 'condemned'; readonly reason: ExitReason }
  | { readonly kind: 'exited'; readonly reason: ExitReason; readonly exit: ExitRecord }

/** When it does not announce itself on stdout, its health is asked for; from then on. */
const askHealthAfterMs = 1000

export class Run {
  readonly #options: RunOptions
  readonly child: Child
  /** Aborts at the exit: all that waits for this run ends with it. */
  readonly #over = new AbortController()
  readonly #startedAtMs: number
  #lastSignMs: number
  #phase: 'loading' | 'checking' | 'ready' | 'condemned' = 'loading'
  #vitals: VitalWatch | null = null
  #counters: EngineCounters | null = null

  /** Spawns the process. */
  constructor(options: RunOptions) {
    this.#options = options
    this.#startedAtMs = options.clock.monotonicMs()
    this.#lastSignMs = this.#startedAtMs
    const onLine = (line: EngineLine): void => {
      this.#lastSignMs = options.clock.monotonicMs()
      options.engineLog(line.level, line.text)
      for (const fact of line.facts) {
        options.tell(fact.kind === 'broken' ? { kind: 'condemned', reason: fact.reason } : fact)
      }
    }
    this.child = spawnEngine(options.engine, onLine, options.clock)
  }

  get id(): number {
    return this.#options.id
  }

  get engine(): Engine {
    return this.#options.engine
  }

  /** As last read; null before the first reading. */
  get counters(): EngineCounters | null {
    return this.#counters
  }

  /** Resolves when the process is gone and has been told of. */
  async watch(): Promise<void> {
    await Promise.all([this.#watchExit(), this.#watchStart(), this.#watchHealth()])
  }

  /** It says that it has loaded: asks for the first token. */
  async check(): Promise<void> {
    if (this.#phase !== 'loading') return
    this.#phase = 'checking'
    const { engine, tell } = this.#options
    const result = await askFirstToken(engine, this.#over.signal).catch(() => null)
    if (result === null) return
    if (result.kind !== 'answered') {
      return tell({ kind: 'condemned', reason: noAnswer(result.why) })
    }
    const unproven = await this.#prove()
    if (unproven === 'over') return
    if (unproven !== null) return tell({ kind: 'condemned', reason: unproven })
    this.#phase = 'ready'
    tell({ kind: 'check-passed' })
    // Again: a script around the engine had not started it yet when it was written down first.
    await Promise.all([this.#writeDown(true), this.#watchVitals()])
  }

  /** `over`: it ended meanwhile. */
  async #prove(): Promise<ExitReason | 'over' | null> {
    const { engine, prove } = this.#options
    return prove(engine, this.#over.signal).catch(() => 'over')
  }

  /** Asks for one token with a deadline, if it is ready; `why` is for the log. */
  async ask(why: string): Promise<void> {
    await this.#vitals?.ask(why)
  }

  async #watchExit(): Promise<void> {
    const { clock, engine, tell } = this.#options
    const { pid } = this.child
    const written = this.#writeDown(false)
    const { exitCode, signal, lastLines, ...rest } = await this.child.exited
    this.#over.abort()
    const ranMs = pid === null ? null : Math.round(clock.monotonicMs() - this.#startedAtMs)
    tell({
      kind: 'exited',
      reason: engine.classifyExit({ exitCode, signal, lastLines, ...rest }),
      exit: { pid, exitCode, signal, ranMs, lastLines },
    })
    await written
  }

  /** A full disk must not cost us the engine; it leaves with us anyway when its stdin closes. */
  async #writeDown(andItsOwn: boolean): Promise<void> {
    const { log, recordFile } = this.#options
    if (this.child.pid === null) return
    await recordEngine(recordFile, this.child.pid, andItsOwn).catch((error: unknown) =>
      log.warn('cannot write down the engine', { error: messageOf(error) }),
    )
  }

  async #watchStart(): Promise<void> {
    const { clock, startTimeoutMs, tell } = this.#options
    while (this.#phase === 'loading') {
      const leftMs = this.#lastSignMs + startTimeoutMs - clock.monotonicMs()
      if (leftMs <= 0) return tell({ kind: 'condemned', reason: startTimedOut(startTimeoutMs) })
      try {
        await clock.sleep(leftMs, this.#over.signal)
      } catch {
        return
      }
    }
  }

  async #watchHealth(): Promise<void> {
    const { clock, engine, tell } = this.#options
    try {
      await clock.sleep(askHealthAfterMs, this.#over.signal)
      if (this.#phase !== 'loading') return
      await untilHealthy(engine, this.#over.signal)
    } catch {
      return
    }
    tell({ kind: 'loaded' })
  }

  async #watchVitals(): Promise<void> {
    const { engine, health, clock, log } = this.#options
    this.#vitals = new VitalWatch({
      engine,
      health,
      clock,
      log,
      signal: this.#over.signal,
      onFinding: (finding) => void this.#found(finding),
      onCounters: (counters) => {
        this.#counters = counters
      },
    })
    await this.#vitals.run()
  }

  async #found(finding: Finding): Promise<void> {
    const { tell } = this.#options
    switch (finding.kind) {
      case 'bad-answer':
        return tell({ kind: 'bad-answer', reason: answeredBadly(finding.why) })
      case 'hung': {
        if (this.#phase === 'condemned') return
        this.#phase = 'condemned'
        await this.#recordHang(finding.why)
        return tell({ kind: 'condemned', reason: hung(finding.why) })
      }
    }
  }

  /** What is known of it is taken before the kill: afterwards nobody can ask. */
  async #recordHang(why: string): Promise<void> {
    const { engine, journal } = this.#options
    const slots = await readSlots(engine, this.#over.signal)
    const described = slots === null ? ['slots: no answer'] : engine.describeSlots(slots)
    journal({
      kind: 'hang',
      message: `The engine stands still: ${why}`,
      facts: { runId: this.id, pid: this.child.pid, ...this.#counters },
      evidence: [...described, ...this.child.lastLines()],
    })
  }
}
