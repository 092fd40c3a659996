/**
 * The engine's log for those who watch it: the newest lines at once, then what comes, some hundred lines a second at most.
 * What is more is left out here and counted; engine.log has it. Costs an assignment a line while nobody watches.
 */
import type { ServerResponse } from 'node:http'
import type { Clock } from '../../clock.ts'
import type { LogLevel } from '../../engine.ts'
import { isLogged } from '../engine-log.ts'
import type { LogLine, LogNews } from './feed-protocol.ts'
import { Viewers } from './viewers.ts'

const KEPT_LINES = 300
const EVERY_MS = 250
/** More than an eye can follow, and little enough to draw. */
const LINES_AT_ONCE = 100
/** A line that is longer is read in the file. */
const MAX_CHARACTERS = 500

export class LogTail {
  readonly #clock: Pick<Clock, 'nowMs' | 'sleep'>
  readonly #level: LogLevel
  readonly #viewers = new Viewers()
  /** Line number `n` lies at `n % KEPT_LINES`. */
  readonly #kept: LogLine[] = []
  #taken = 0
  #told = 0

  /** `level`: the least important one that is in engine.log. */
  constructor(clock: Pick<Clock, 'nowMs' | 'sleep'>, level: LogLevel) {
    this.#clock = clock
    this.#level = level
  }

  /** Takes one line. Returns at once. */
  take(level: LogLevel, text: string): void {
    if (!isLogged(level, this.#level)) return
    const shown = text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS)} …` : text
    this.#kept[this.#taken % KEPT_LINES] = { atMs: this.#clock.nowMs(), level, text: shown }
    this.#taken += 1
  }

  /** False when too many watch; then nothing was sent. */
  admit(res: ServerResponse, headers: Readonly<Record<string, string>>): boolean {
    const isFirst = this.#viewers.count === 0
    if (!this.#viewers.admit(res, headers)) return false
    // Nobody was told of what came while nobody watched.
    if (isFirst) this.#told = this.#taken
    const news: LogNews = { lines: this.#lines(this.#told - KEPT_LINES, this.#told), leftOut: 0 }
    this.#viewers.tellOne(res, 'lines', news)
    return true
  }

  /** Resolves when `signal` has aborted: every viewer is let go. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        await this.#viewers.some(signal)
        this.#tell()
        await this.#clock.sleep(EVERY_MS, signal)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      this.#viewers.close()
    }
  }

  #tell(): void {
    const from = Math.max(this.#told, this.#taken - LINES_AT_ONCE)
    const news: LogNews = { lines: this.#lines(from, this.#taken), leftOut: from - this.#told }
    this.#told = this.#taken
    if (news.lines.length > 0) this.#viewers.tell('lines', news)
  }

  /** Those that are still kept, oldest first. */
  #lines(from: number, to: number): readonly LogLine[] {
    const lines: LogLine[] = []
    for (let at = Math.max(0, from, this.#taken - KEPT_LINES); at < to; at += 1) {
      const line = this.#kept[at % KEPT_LINES]
      if (line !== undefined) lines.push(line)
    }
    return lines
  }
}
