/** One process of the engine: spawns it, reads every line it prints, and ends it within a grace. */
import type { Readable, Writable } from 'node:stream'
import { execa, type Options } from 'execa'
import type { Clock } from '../clock.ts'
import type { Engine, EngineLine, RawExit } from '../engine.ts'
import { errnoOf, messageOf } from '../errors.ts'
import { onEachLine } from './lines.ts'

/** How many of the last lines are kept to explain an exit. */
const keptLines = 50

export interface Child {
  /** null when it could not be started: `exited` then says why. */
  readonly pid: number | null
  /** Settles once, when the process is gone and its output is read; never rejects. */
  readonly exited: Promise<RawExit>
  /** Asks on stdin; false when the pipe is closed. */
  askToLeave(): boolean
  /** SIGTERM and the end of its stdin: a loaded llama-server waits for the thread that reads it. */
  terminate(): void
  kill(): void
}

export interface Graces {
  /** From the polite request to SIGTERM. */
  readonly exitGraceMs: number
  /** From SIGTERM to SIGKILL. */
  readonly termGraceMs: number
}

const options = {
  // Kept output would fail the process at 100 MB: a time bomb in a supervisor.
  buffer: false,
  reject: false,
  stdin: 'pipe',
  stdout: 'pipe',
  stderr: 'pipe',
  extendEnv: false,
  // In our process group, so that launchd's sweep of the group reaches it.
  detached: false,
  cleanup: true,
  // The graces are ours (`endChild`); execa would send SIGKILL by itself after 5 s.
  forceKillAfterDelay: false,
  stripFinalNewline: false,
} as const satisfies Options

/** Starts the engine. Its lines go to `onLine` as they come. Never throws. */
export function spawnEngine(engine: Engine, onLine: (line: EngineLine) => void): Child {
  const { file, args, env } = engine.command
  const lastLines: string[] = []
  const subprocess = execa(file, [...args], { ...options, env: { ...env } })
  const read = (stream: Readable): void => {
    onEachLine(stream, (text) => {
      const line = engine.readLine(text)
      lastLines.push(line.text)
      if (lastLines.length > keptLines) lastLines.shift()
      onLine(line)
    })
  }
  read(subprocess.stdout)
  read(subprocess.stderr)
  const stdin: Writable = subprocess.stdin
  // EPIPE after its death: the exit tells the story.
  stdin.on('error', () => undefined)

  return {
    pid: subprocess.pid ?? null,
    exited: rawExit(subprocess, lastLines),
    askToLeave: () => stdin.writable && (stdin.write(`${engine.politeExitLine}\n`), true),
    terminate: () => {
      subprocess.kill('SIGTERM')
      stdin.end()
    },
    kill: () => void subprocess.kill('SIGKILL'),
  }
}

interface Ending {
  readonly exitCode?: number | undefined
  readonly signal?: string | undefined
  readonly failed: boolean
  readonly pid?: number | undefined
  readonly cause?: unknown
}

async function rawExit(
  ending: PromiseLike<Ending>,
  lastLines: readonly string[],
): Promise<RawExit> {
  const { exitCode, signal, cause, failed } = await ending
  const neverRan = failed && exitCode === undefined && signal === undefined
  return {
    exitCode: exitCode ?? null,
    signal: signal ?? null,
    lastLines: [...lastLines],
    spawnError: neverRan ? { errno: errnoOf(cause) ?? null, message: messageOf(cause) } : null,
  }
}

/**
 * Ends the process: polite request, grace, SIGTERM, grace, SIGKILL; resolves when it is gone, with
 * what it took. `polite: false` begins at SIGTERM: while it loads it has no ear for the request.
 */
export async function endChild(
  child: Child,
  polite: boolean,
  graces: Graces,
  clock: Pick<Clock, 'sleep'>,
): Promise<'asked' | 'SIGTERM' | 'SIGKILL'> {
  if (polite && child.askToLeave() && (await goneWithin(child, graces.exitGraceMs, clock))) {
    return 'asked'
  }
  child.terminate()
  if (await goneWithin(child, graces.termGraceMs, clock)) return 'SIGTERM'
  child.kill()
  await child.exited
  return 'SIGKILL'
}

async function goneWithin(
  child: Child,
  graceMs: number,
  clock: Pick<Clock, 'sleep'>,
): Promise<boolean> {
  const done = new AbortController()
  const late = clock.sleep(graceMs, done.signal).then(
    () => false,
    () => false,
  )
  const gone = await Promise.race([child.exited.then(() => true), late])
  done.abort()
  return gone
}
