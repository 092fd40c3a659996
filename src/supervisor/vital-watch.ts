/** Watches one run while it is ready: reads its counters, and asks for a token when there is doubt. */
import type { Clock } from '../clock.ts'
import type { Engine, EngineCounters } from '../engine.ts'
import type { Logger } from '../log.ts'
import { firstVitals, type Vitals, watchVitals } from './hang-policy.ts'
import { askOneToken, readCounters, type TokenResult } from './health.ts'

export interface HealthSettings {
  /** Work that stands still, or silence, for this long is a hang. */
  readonly hangTimeoutMs: number
  /** Between two readings of the counters. */
  readonly scrapeIntervalMs: number
  /** One token may take this long, also from a model that was swapped out. */
  readonly canaryTimeoutMs: number
  /** Asks for one token this often, doubt or not; 0 = never. */
  readonly canaryIntervalMs: number
}

/** What the watch found. It goes on watching; the supervisor decides. */
export type Finding =
  | { readonly kind: 'hung'; readonly why: string }
  /** It answered a token with a refusal, as an engine with a dead GPU does. */
  | { readonly kind: 'bad-answer'; readonly why: string }

export interface VitalWatchOptions {
  readonly engine: Engine
  readonly health: HealthSettings
  readonly clock: Clock
  readonly log: Logger
  /** Aborts when the run is over or no longer ready. */
  readonly signal: AbortSignal
  readonly onFinding: (finding: Finding) => void
  /** Each reading, as it comes: the one scraper shares it. */
  readonly onCounters: (counters: EngineCounters) => void
}

/** A reading may be late by so many intervals before it is suspicious. */
const lateReadings = 2

export class VitalWatch {
  readonly #options: VitalWatchOptions
  #vitals: Vitals
  #asking = false

  constructor(options: VitalWatchOptions) {
    this.#options = options
    this.#vitals = firstVitals(options.clock.monotonicMs())
  }

  /** Resolves when the signal aborts. */
  async run(): Promise<void> {
    await Promise.all([this.#readOn(), this.#askOn()])
  }

  /** Asks for one token within the deadline; `why` is for the log. One at a time. */
  async ask(why: string): Promise<void> {
    const { log, signal } = this.#options
    if (this.#asking || signal.aborted) return
    this.#asking = true
    log.info('asking the engine for one token', { why })
    try {
      // A refusal may be bad luck of the one question: the second answer tells.
      if ((await this.#askOnce()) === 'refused') await this.#askOnce()
    } catch {
      // Aborted: the run is over.
    } finally {
      this.#asking = false
    }
  }

  async #askOnce(): Promise<TokenResult['kind']> {
    const { engine, health, clock, log, signal, onFinding } = this.#options
    const askedAtMs = clock.monotonicMs()
    const result = await askOneToken(engine, health.canaryTimeoutMs, signal)
    const tookMs = Math.round(clock.monotonicMs() - askedAtMs)
    log.info('asked the engine for one token', { result: result.kind, tookMs })
    if (result.kind === 'refused') onFinding({ kind: 'bad-answer', why: result.why })
    // It may have stood in line behind long work that goes on well; a dead one is told by its exit.
    const isHung =
      result.kind === 'no-answer' && result.isLate && this.#vitals.aliveAtMs <= askedAtMs
    if (isHung) onFinding({ kind: 'hung', why: result.why })
    return result.kind
  }

  async #readOn(): Promise<void> {
    const { engine, health, clock, signal, onCounters } = this.#options
    while (await this.#pause(health.scrapeIntervalMs)) {
      const counters = await readCounters(engine, health.scrapeIntervalMs, signal)
      if (signal.aborted) return
      if (counters !== null) onCounters(counters)
      this.#judge({ atMs: clock.monotonicMs(), counters })
    }
  }

  #judge(reading: { readonly atMs: number; readonly counters: EngineCounters | null }): void {
    const { health, onFinding } = this.#options
    const { hangTimeoutMs, scrapeIntervalMs } = health
    const settings = { hangTimeoutMs, suspectAfterMs: scrapeIntervalMs * lateReadings }
    const { next, verdict } = watchVitals(this.#vitals, reading, settings)
    this.#vitals = next
    if (verdict.kind === 'hung') onFinding(verdict)
    if (verdict.kind === 'suspect') void this.ask(verdict.why)
  }

  async #askOn(): Promise<void> {
    const { canaryIntervalMs } = this.#options.health
    if (canaryIntervalMs === 0) return
    while (await this.#pause(canaryIntervalMs)) await this.ask('it is time, as configured')
  }

  /** False when the run is over. */
  async #pause(delayMs: number): Promise<boolean> {
    const { clock, signal } = this.#options
    return clock.sleep(delayMs, signal).then(
      () => true,
      () => false,
    )
  }
}
