/** The last lines of the engine's log, read from its file: however fast they come, the daemon does nothing for it. */
import { messageOf } from '../../errors.ts'
import { logFile, openLogEnd, readBackwards } from '../../log-files.ts'
import { followFile } from '../log-follow.ts'

const NAME = 'engine'
/** More than the rows of any terminal. */
const KEPT_LINES = 200
/** Thrown away only now and then: moving them all for each line would cost more than reading it. */
const MOST_LINES = 2 * KEPT_LINES

export class LogTail {
  #lines: string[] = []

  /** Oldest first. */
  get lines(): readonly string[] {
    return this.#lines
  }

  /** Resolves when `signal` has aborted. Never rejects: what cannot be read is said in place of a line. */
  async run(folder: string, signal: AbortSignal, onLine: () => void): Promise<void> {
    try {
      const end = await openLogEnd(folder, NAME)
      for await (const line of readBackwards(folder, end)) {
        this.#lines.unshift(line)
        if (this.#lines.length >= KEPT_LINES || signal.aborted) break
      }
      await followFile(logFile(folder, NAME), end, signal, (line) => {
        this.#add(line)
        onLine()
      })
    } catch (error) {
      this.#add(messageOf(error))
      onLine()
    }
  }

  #add(line: string): void {
    this.#lines.push(line)
    if (this.#lines.length > MOST_LINES) this.#lines = this.#lines.slice(-KEPT_LINES)
  }
}
