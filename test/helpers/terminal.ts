/** A real terminal (tmux) with one command in it: what its user sees, types and does to the window. */
import { existsSync } from 'node:fs'
import { execa } from 'execa'
import type { TestContext } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { tempDir } from './temp-dir.ts'

export const hasTmux: boolean = [
  '/usr/bin/tmux',
  '/opt/homebrew/bin/tmux',
  '/usr/local/bin/tmux',
].some((file) => existsSync(file))

export interface TerminalOptions {
  readonly onTestFinished: TestContext['onTestFinished']
  /** A line of shell. */
  readonly command: string
  readonly env: Readonly<Record<string, string>>
  readonly columns?: number
  readonly rows?: number
}

/** A fault that is not over by then never will be. */
const patienceMs = 25_000
const lookEveryMs = 50

/** Printed before the command, and with its exit status after it. */
const BEFORE = 'this was there before'
const AFTER = 'it ended with'

export async function openTerminal(options: TerminalOptions): Promise<Terminal> {
  const { onTestFinished, command, env, columns = 80, rows = 24 } = options
  const folder = await tempDir()
  const terminal = new Terminal(folder.file('tmux.sock'), folder.file('pid'), env)
  onTestFinished(async () => {
    await terminal.end()
    await folder[Symbol.asyncDispose]()
  })
  // The inner shell becomes the command, so that its pid is that of the command.
  const inner = `echo $$ > '${folder.file('pid')}'; exec ${command}`
  const script = `echo '${BEFORE}'; sh -c "$INNER"; echo '${AFTER}' $?; stty -a; exec cat`
  await terminal.tmux(['new-session', '-d', '-x', String(columns), '-y', String(rows), script], {
    INNER: inner,
  })
  return terminal
}

export class Terminal {
  readonly #socket: string
  readonly #pidFile: string
  readonly #env: Readonly<Record<string, string>>

  constructor(socket: string, pidFile: string, env: Readonly<Record<string, string>>) {
    this.#socket = socket
    this.#pidFile = pidFile
    this.#env = env
  }

  async tmux(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
    const { stdout } = await execa('tmux', ['-u', '-f', '/dev/null', '-S', this.#socket, ...args], {
      extendEnv: false,
      env: { PATH: process.env['PATH'] ?? '', LANG: 'C.UTF-8', ...this.#env, ...env },
      stripFinalNewline: false,
    })
    return stdout
  }

  /** As a person sees it, without colours; lines without the spaces at their ends. */
  async screen(): Promise<string> {
    return this.tmux(['capture-pane', '-p'])
  }

  async type(...keys: readonly string[]): Promise<void> {
    await this.tmux(['send-keys', ...keys])
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.tmux(['resize-window', '-x', String(columns), '-y', String(rows)])
  }

  async signal(name: string): Promise<void> {
    await execa('sh', ['-c', `kill -${name} "$(cat "$0")"`, this.#pidFile])
  }

  /** The screen, once it is as wanted; what it was instead when it never is. */
  async until(wanted: string | RegExp | ((screen: string) => boolean)): Promise<string> {
    const untilMs = systemClock.monotonicMs() + patienceMs
    for (;;) {
      const screen = await this.screen()
      if (isAs(screen, wanted)) return screen
      if (systemClock.monotonicMs() > untilMs) {
        throw new Error(`The screen never became ${String(wanted)}:\n${screen}`)
      }
      await systemClock.sleep(lookEveryMs)
    }
  }

  /** The command has ended and the terminal is as it was: the usual screen, a cursor, wrapping, and letters that are echoed. */
  async untilClean(status: number | RegExp): Promise<string> {
    const ended = status instanceof RegExp ? status.source : String(status)
    await this.until(new RegExp(`${AFTER} ${ended}`))
    await this.until(/(?<!-)\bicanon\b/)
    await this.until(/(?<!-)\becho\b/)
    // With what has left the screen at its top.
    const screen = await this.tmux(['capture-pane', '-p', '-S', '-'])
    const flags = await this.tmux([
      'display-message',
      '-p',
      '#{alternate_on}#{cursor_flag}#{wrap_flag}',
    ])
    if (flags.trim() !== '011' || !screen.includes(BEFORE)) {
      throw new Error(`The terminal was not given back (${flags.trim()}):\n${screen}`)
    }
    return screen
  }

  async end(): Promise<void> {
    await this.tmux(['kill-server']).catch(() => undefined)
  }
}

function isAs(screen: string, wanted: string | RegExp | ((screen: string) => boolean)): boolean {
  if (typeof wanted === 'string') return screen.includes(wanted)
  return wanted instanceof RegExp ? wanted.test(screen) : wanted(screen)
}
