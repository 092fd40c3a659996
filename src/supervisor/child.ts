/** One process of the engine: spawns it, reads every line it prints, and ends it, and all it started, within a grace. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { systemClock, type Clock } from '../clock.ts'
import type { Engine, EngineLine, OutputStream, RawExit } from '../engine.ts'
import { errnoOf, messageOf } from '../errors.ts'
import type { RecordedProcess } from '../process-identity.ts'
import { descendantsOf, killRecorded, killTree, untilGone, withinTime } from '../process-tree.ts'
import { formatBytes } from '../units.ts'
import { onEachLine, type LineReader } from './lines.ts'

/** How many of the last lines are kept to explain an exit. */
const keptLines = 50
/** After an exit: how long for the rest of the output, when something else keeps the pipes open. */
const outputGraceMs = 100
/** After an exit: how long for what the engine had started and left behind to be gone. */
const treeGraceMs = 5000
/** After SIGKILL: longer than this only a process takes that hangs within the system. */
export const killGraceMs = 10_000

export interface Child {
  /** null when it could not be started: `exited` then says why. */
  readonly pid: number | null
  /**
   * Settles once, when the process and all it started are gone and what it printed is read; never
   * rejects. That other processes hold its output open does not keep it waiting.
   */
  readonly exited: Promise<RawExit>
  /** The last lines that it printed so far, oldest first. */
  lastLines(): readonly string[]
  /** Asks on stdin; false when the pipe is closed. */
  askToLeave(): boolean
  /** SIGTERM and the end of its stdin: a loaded llama-server waits for the thread that reads it. */
  terminate(): void
  /** SIGKILL, to it and to all it started. */
  kill(): void
}

export interface Graces {
  /** From the polite request to SIGTERM. */
  readonly exitGraceMs: number
  /** From SIGTERM to SIGKILL. */
  readonly termGraceMs: number
}

type ChildClock = Pick<Clock, 'sleep' | 'monotonicMs'>

/** Starts the engine. Its lines go to `onLine` as they come. Never throws. */
export function spawnEngine(
  engine: Engine,
  onLine: (line: EngineLine) => void,
  clock: ChildClock = systemClock,
): Child {
  const { file, args, env } = engine.command
  try {
    // Not execa 9: out of file descriptors it throws from its own code, and the error event of the
    // process that nobody holds then ends the daemon. Its promise also waits for the end of the pipes.
    const subprocess = spawn(file, args, { env: { ...env }, stdio: 'pipe' })
    // Without a pid there may be no pipes either, whatever the types say.
    if (subprocess.pid === undefined) return neverStarted(spawnError(subprocess))
    return new RunningChild(subprocess, subprocess.pid, engine, onLine, clock)
  } catch (error) {
    return neverStarted(Promise.resolve(error))
  }
}

function spawnError(subprocess: ChildProcessWithoutNullStreams): Promise<unknown> {
  return new Promise((resolve) => {
    subprocess.on('error', resolve)
  })
}

function neverStarted(error: Promise<unknown>): Child {
  return {
    pid: null,
    exited: explainNoStart(error),
    lastLines: () => [],
    askToLeave: () => false,
    terminate: () => undefined,
    kill: () => undefined,
  }
}

async function explainNoStart(error: Promise<unknown>): Promise<RawExit> {
  const spawnProblem = describeSpawnError(await error)
  return { exitCode: null, signal: null, lastLines: [], spawnError: spawnProblem }
}

function describeSpawnError(error: unknown): NonNullable<RawExit['spawnError']> {
  const errno = errnoOf(error)
  if (errno?.startsWith('ERR_') !== true) return { errno: errno ?? null, message: messageOf(error) }
  // Node refused an argument, and quotes it: a value of the environment may be a secret.
  return { errno: null, message: messageOf(error).replace(/\.? Received .*$/s, '') }
}

interface ToldLine {
  readonly order: number
  readonly text: string
}

interface Pipe {
  readonly name: OutputStream
  readonly reader: LineReader
  /** Its last lines. */
  readonly told: readonly ToldLine[]
}

class RunningChild implements Child {
  readonly pid: number
  readonly exited: Promise<RawExit>
  readonly #process: ChildProcessWithoutNullStreams
  readonly #engine: Engine
  readonly #onLine: (line: EngineLine) => void
  readonly #clock: ChildClock
  readonly #pipes: readonly Pipe[]
  #toldCount = 0
  readonly #factsSeen = new Set<string>()
  /** What it had started when last looked: of a dead process nobody can tell. */
  #descendants: readonly RecordedProcess[] = []
  /** Looking for descendants, and signalling them, one after the other. */
  #treeWork: Promise<unknown> = Promise.resolve()
  #endedByUs = false

  constructor(
    subprocess: ChildProcessWithoutNullStreams,
    pid: number,
    engine: Engine,
    onLine: (line: EngineLine) => void,
    clock: ChildClock,
  ) {
    this.#process = subprocess
    this.pid = pid
    this.#engine = engine
    this.#onLine = onLine
    this.#clock = clock
    // EPIPE after its death, or a signal that is not allowed: the exit tells the story.
    subprocess.stdin.on('error', () => undefined)
    subprocess.on('error', () => undefined)
    this.#pipes = [this.#read('stdout'), this.#read('stderr')]
    this.exited = this.#watch()
  }

  lastLines(): readonly string[] {
    const untold = this.#pipes.map(({ reader }) => reader.lastLines().slice(-keptLines))
    if (untold.every((lines) => lines.length === 0)) {
      const told = this.#pipes.flatMap((pipe) => pipe.told).toSorted((a, b) => a.order - b.order)
      return told.slice(-keptLines).map(({ text }) => text)
    }
    // In a flood one pipe must not push out the last words on the other.
    const [first = [], second = []] = this.#pipes.map(({ told, name }, index) => [
      ...told.map(({ text }) => text),
      ...(untold[index] ?? []).map((text) => this.#engine.readLine(text, name).text),
    ])
    return [...lastOf(first, second.length), ...lastOf(second, first.length)]
  }

  askToLeave(): boolean {
    const { stdin } = this.#process
    return stdin.writable && (stdin.write(`${this.#engine.politeExitLine}\n`), true)
  }

  terminate(): void {
    this.#signalTree('SIGTERM')
  }

  kill(): void {
    this.#signalTree('SIGKILL')
  }

  #signalTree(signal: NodeJS.Signals): void {
    this.#endedByUs = true
    this.#treeWork = Promise.all([this.#treeWork, this.#signalAll(signal)])
  }

  async #signalAll(signal: NodeJS.Signals): Promise<void> {
    const root = {
      pid: this.pid,
      known: this.#descendants,
      kill: (name: NodeJS.Signals) => {
        this.#process.kill(name)
        this.#process.stdin.end()
      },
    }
    const { signalled, spared } = await killTree(root, signal, this.#clock)
    this.#descendants = [...signalled, ...spared]
  }

  async #watch(): Promise<RawExit> {
    const killNow = (): void => void this.#process.kill('SIGKILL')
    process.once('exit', killNow)
    const closed = new Promise<void>((resolve) => {
      this.#process.once('close', () => resolve())
    })
    const exit = await new Promise<Pick<RawExit, 'exitCode' | 'signal'>>((resolve) => {
      // Node destroys its end of stdin now, so that a server behind a script reads the end of it.
      this.#process.once('exit', (exitCode, signal) => resolve({ exitCode, signal }))
    })
    process.off('exit', killNow)
    await Promise.all([withinTime(closed, outputGraceMs, this.#clock), this.#endDescendants()])
    const lastLines = this.lastLines()
    for (const { reader } of this.#pipes) reader.mute()
    return { ...exit, lastLines, spawnError: null }
  }

  /** The process is gone; what it had started must not live on beside the next one. */
  async #endDescendants(): Promise<void> {
    await this.#treeWork
    const { signalled, spared } = await killRecorded(this.#descendants)
    const left = [...spared, ...(await untilGone(signalled, treeGraceMs, this.#clock))]
    if (left.length > 0) {
      this.#say(`cannot end what the engine had started: ${pidsOf(left)}; it may still hold memory`)
    } else if (signalled.length > 0 && !this.#endedByUs) {
      this.#say(`ended what the engine had started and left running: ${pidsOf(signalled)}`)
    }
  }

  async #lookForDescendants(): Promise<void> {
    const found = await descendantsOf(this.pid).catch(() => [])
    // Nothing found may also mean that the process is dead by now.
    if (found.length > 0) this.#descendants = found
  }

  #read(name: OutputStream): Pipe {
    const told: ToldLine[] = []
    const reader = onEachLine(this.#process[name], {
      onLine: (text) => {
        const line = this.#engine.readLine(text, name)
        told.push({ order: (this.#toldCount += 1), text: line.text })
        if (told.length > keptLines) told.shift()
        // Only the real engine states facts, so that by now a script around it has started it.
        const firstOfKind = line.facts.filter(({ kind }) => !this.#factsSeen.has(kind))
        for (const { kind } of firstOfKind) this.#factsSeen.add(kind)
        if (firstOfKind.length > 0) {
          this.#treeWork = Promise.all([this.#treeWork, this.#lookForDescendants()])
        }
        this.#onLine(line)
      },
      onDropped: (bytes) =>
        this.#say(
          `${formatBytes(bytes)} of output not logged: it came faster than it could be read`,
        ),
    })
    return { name, reader, told }
  }

  /** A word of ours among the lines of the engine; no evidence for its death. */
  #say(text: string): void {
    this.#onLine({ level: 'warn', text: `(${text})`, facts: [] })
  }
}

/** So many of the last lines as leave room for those of the other pipe, of which half the room is enough. */
function lastOf(lines: readonly string[], othersCount: number): readonly string[] {
  return lines.slice(-Math.max(keptLines / 2, keptLines - othersCount))
}

function pidsOf(processes: readonly RecordedProcess[]): string {
  return `pid ${processes.map(({ pid }) => pid).join(', ')}`
}

/**
 * Ends the process: polite request, grace, SIGTERM, grace, SIGKILL; resolves when it is gone, with
 * what it took. `polite: false` begins at SIGTERM: while it loads it has no ear for the request.
 * `stuck`: it hangs within the system and even SIGKILL has not ended it yet; `exited` is still to come.
 */
export async function endChild(
  child: Child,
  polite: boolean,
  graces: Graces,
  clock: Pick<Clock, 'sleep'>,
): Promise<'asked' | 'SIGTERM' | 'SIGKILL' | 'stuck'> {
  const goneWithin = async (graceMs: number): Promise<boolean> =>
    (await withinTime(child.exited, graceMs, clock)) !== null
  if (polite && child.askToLeave() && (await goneWithin(graces.exitGraceMs))) return 'asked'
  child.terminate()
  if (await goneWithin(graces.termGraceMs)) return 'SIGTERM'
  child.kill()
  return (await goneWithin(killGraceMs)) ? 'SIGKILL' : 'stuck'
}

/** Resolves with true when a killed child is still there after the grace: it hangs within the system. */
export async function isStuck(child: Child, clock: Pick<Clock, 'sleep'>): Promise<boolean> {
  return (await withinTime(child.exited, killGraceMs, clock)) === null
}
