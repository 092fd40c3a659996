/** The whole terminal for one live view, given back as it was however the view ends. */
import type { Key } from './keys.ts'
import { keysOf } from './keys.ts'
import { repaint } from './repaint.ts'

export interface Size {
  readonly columns: number
  readonly rows: number
}

export interface Screen {
  readonly size: Size
  /** Aborts at SIGINT, SIGTERM or SIGHUP. */
  readonly signal: AbortSignal
  /** One line per row; only what changed is written. */
  show(lines: readonly string[]): void
  /** Stops this program as Ctrl-Z does; it goes on with `fg`. */
  suspend(): void
}

export interface ScreenEvents {
  onKey(key: Key): void
  /** Another size, or back from a suspension: show it again. */
  onStale(): void
}

/** The part of a terminal's streams that is used. */
export interface TerminalStreams {
  readonly stdin: Pick<
    NodeJS.ReadStream,
    'isTTY' | 'setRawMode' | 'on' | 'off' | 'resume' | 'pause' | 'setEncoding'
  >
  readonly stdout: Pick<NodeJS.WriteStream, 'columns' | 'rows' | 'on' | 'off' | 'write'>
}

/** The other screen, no cursor, no line wrapping; and back. */
const ENTER = '\u001B[?1049h\u001B[?25l\u001B[?7l\u001B[2J'
const LEAVE = '\u001B[?7h\u001B[?25h\u001B[?1049l'
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Runs `work` on the whole terminal. A signal ends the work, then this program, as if nobody had caught it. */
export async function onScreen(
  streams: TerminalStreams,
  events: ScreenEvents,
  work: (screen: Screen) => Promise<void>,
): Promise<void> {
  const screen = new TerminalScreen(streams, events)
  const stop = new AbortController()
  let came: NodeJS.Signals | null = null
  const onSignal = (signal: NodeJS.Signals): void => {
    came ??= signal
    stop.abort()
  }
  for (const signal of SIGNALS) process.on(signal, onSignal)
  screen.enter()
  try {
    await work(screen.until(stop.signal))
  } finally {
    screen.leave()
    for (const signal of SIGNALS) process.off(signal, onSignal)
    if (came !== null) process.kill(process.pid, came)
  }
}

class TerminalScreen {
  readonly #streams: TerminalStreams
  readonly #events: ScreenEvents
  #shown: readonly string[] = []
  #isEntered = false

  constructor(streams: TerminalStreams, events: ScreenEvents) {
    this.#streams = streams
    this.#events = events
  }

  until(signal: AbortSignal): Screen {
    const { stdout } = this.#streams
    return {
      get size() {
        return { columns: stdout.columns ?? 80, rows: stdout.rows ?? 24 }
      },
      signal,
      show: (lines) => this.#show(lines),
      suspend: () => this.#suspend(),
    }
  }

  enter(): void {
    const { stdin, stdout } = this.#streams
    this.#isEntered = true
    this.#shown = []
    stdout.write(ENTER)
    stdout.on('resize', this.#onResize)
    if (stdin.isTTY) {
      stdin.setRawMode(true)
      stdin.setEncoding('utf8')
      stdin.on('data', this.#onData)
      stdin.resume()
    }
    // Also for what nobody catches: it is told on the terminal, which must be the usual one by then.
    process.on('exit', this.#leaveNow)
    process.on('uncaughtExceptionMonitor', this.#leaveNow)
  }

  leave(): void {
    this.#leaveNow()
    const { stdin, stdout } = this.#streams
    stdout.off('resize', this.#onResize)
    stdin.off('data', this.#onData)
    stdin.pause()
    process.off('exit', this.#leaveNow)
    process.off('uncaughtExceptionMonitor', this.#leaveNow)
  }

  readonly #leaveNow = (): void => {
    if (!this.#isEntered) return
    this.#isEntered = false
    const { stdin, stdout } = this.#streams
    stdout.write(LEAVE)
    if (stdin.isTTY) stdin.setRawMode(false)
  }

  #show(lines: readonly string[]): void {
    if (!this.#isEntered) return
    const text = repaint(this.#shown, lines)
    this.#shown = lines
    if (text !== '') this.#streams.stdout.write(text)
  }

  #suspend(): void {
    this.leave()
    process.once('SIGCONT', () => {
      this.enter()
      this.#events.onStale()
    })
    process.kill(process.pid, 'SIGSTOP')
  }

  readonly #onResize = (): void => {
    // What the terminal made of the old lines is unknown.
    this.#shown = []
    this.#streams.stdout.write('\u001B[2J')
    this.#events.onStale()
  }

  readonly #onData = (text: unknown): void => {
    for (const key of keysOf(String(text))) this.#events.onKey(key)
  }
}
