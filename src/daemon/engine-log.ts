/** The engine's own output as engine.log: cheap enough for an engine that logs 10,000 lines a second. */
import type { Clock } from '../clock.ts'
import type { Logger } from '../log.ts'
import type { RotatingFile } from '../rotating-file.ts'
import { FloodGate } from './flood-gate.ts'
import { formatJson, JsonLineFormat, type LogEntry } from './log-format.ts'

const FLOOD_TOLD_AFTER_MS = 1000

export interface EngineLogOptions {
  readonly file: Pick<RotatingFile, 'write'>
  readonly clock: Clock
  /** The least important level that is written. */
  readonly level: keyof Logger
  /** What people see at once. */
  readonly show: (entry: LogEntry) => void
}

const RANK: Readonly<Record<keyof Logger, number>> = { error: 0, warn: 1, info: 2, debug: 3 }

/** Whether a line of this level is logged where `least` is the least important one that is. Pure. */
export function isLogged(level: keyof Logger, least: keyof Logger): boolean {
  return RANK[level] <= RANK[least]
}

export class EngineLog {
  readonly #options: EngineLogOptions
  readonly #gate = new FloodGate()
  readonly #format = new JsonLineFormat('llama-server')
  readonly #closing = new AbortController()
  #telling = false

  constructor(options: EngineLogOptions) {
    this.#options = options
  }

  /** Takes one line. Returns at once. */
  write(level: keyof Logger, text: string): void {
    const { clock, file, show } = this.#options
    if (!isLogged(level, this.#options.level) || this.#closing.signal.aborted) return
    if (!this.#gate.admits(level, clock.monotonicMs())) {
      if (!this.#telling) void this.#tellSoon()
      return
    }
    const atMs = clock.nowMs()
    file.write(this.#format.line(atMs, level, text))
    show({ atMs, level, source: 'llama-server', message: text, fields: {} })
  }

  /** Says what is still to be said; later lines are dropped. */
  close(): void {
    if (this.#closing.signal.aborted) return
    this.#tell()
    this.#closing.abort()
  }

  async #tellSoon(): Promise<void> {
    this.#telling = true
    const { signal } = this.#closing
    await this.#options.clock.sleep(FLOOD_TOLD_AFTER_MS, signal).catch(() => undefined)
    this.#telling = false
    if (!signal.aborted) this.#tell()
  }

  #tell(): void {
    const lines = this.#gate.takeLeftOut()
    if (lines === 0) return
    const entry: LogEntry = {
      atMs: this.#options.clock.nowMs(),
      level: 'warn',
      source: 'daemon',
      message: 'llama-server wrote too much: lines were left out',
      fields: { lines },
    }
    this.#options.file.write(formatJson(entry))
    this.#options.show(entry)
  }
}
