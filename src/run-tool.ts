/** Runs the system's small tools to their end or their deadline, never the same one twice at once. */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Clock } from './clock.ts'
import { errnoOf, messageOf } from './errors.ts'
import { killTree } from './process-tree.ts'
import { formatDuration } from './units.ts'

export type ToolResult =
  /** `failure` says how, when it did not end with status 0; what it printed may be of use all the same. */
  | { readonly kind: 'ended'; readonly stdout: string; readonly failure: string | null }
  /** Not there, not ended in time, or more output than anybody wants. */
  | { readonly kind: 'failed'; readonly reason: string }

/** Never rejects. When the signal aborts, the tool is killed. */
export type RunTool = (
  file: string,
  args: readonly string[],
  limits: { readonly deadlineMs: number; readonly signal?: AbortSignal },
) => Promise<ToolResult>

export interface ToolRunnerOptions {
  readonly clock: Pick<Clock, 'sleep'>
  /** All they get, beside LC_ALL=C: what is printed is read by machine. */
  readonly environment: Readonly<Record<string, string>>
}

/** `ioreg` prints 50 kB, everything else far less. */
const largestOutputChars = 2 * 2 ** 20
const keptErrorChars = 300

/**
 * At its deadline a tool gets SIGKILL with all that came from it, and the answer is given whether it has gone or
 * not: a process that waits for a driver cannot be killed. Until it has gone it is not started again.
 */
export function createToolRunner(options: ToolRunnerOptions): RunTool {
  const running = new Set<string>()
  return async (file, args, { deadlineMs, signal }) => {
    if (running.has(file)) return failed(`an earlier ${file} has not ended yet`)
    running.add(file)
    const tool = startTool(file, args, options)
    void tool.gone.then(() => running.delete(file))
    const over = new AbortController()
    const cut = AbortSignal.any([over.signal, ...(signal === undefined ? [] : [signal])])
    const late = options.clock.sleep(deadlineMs, cut).then(
      () => failed(`${file} did not answer within ${formatDuration(deadlineMs)}`),
      () => failed(`${file} is not wanted any more`),
    )
    const first = await Promise.race([tool.result, late])
    over.abort()
    await tool.end()
    return first
  }
}

interface Tool {
  readonly result: Promise<ToolResult>
  /** Settles when the process is gone, or was never there. */
  readonly gone: Promise<void>
  /** Lets go of its pipes, and kills what is still there. */
  end(): Promise<void>
}

function startTool(
  file: string,
  args: readonly string[],
  { clock, environment }: ToolRunnerOptions,
): Tool {
  try {
    const env = { ...environment, LC_ALL: 'C' }
    return watchTool(file, spawn(file, args, { env, stdio: ['ignore', 'pipe', 'pipe'] }), clock)
  } catch (error) {
    // Some failures to start are thrown, most are told by the event.
    const nothing = Promise.resolve()
    return {
      result: nothing.then(() => notStarted(file, error)),
      gone: nothing,
      end: () => nothing,
    }
  }
}

function watchTool(file: string, child: ChildProcess, clock: Pick<Clock, 'sleep'>): Tool {
  let isThere = child.pid !== undefined
  const gone = new Promise<void>((resolve) => {
    const leave = (): void => {
      isThere = false
      resolve()
    }
    child.once('exit', leave)
    child.once('error', () => {
      if (child.pid === undefined) leave()
    })
  })
  return {
    result: readTool(file, child),
    gone,
    end: async () => {
      // What it started may hold them open.
      child.stdout?.destroy()
      child.stderr?.destroy()
      if (!isThere || child.pid === undefined) return
      const root = {
        pid: child.pid,
        known: [],
        kill: (name: NodeJS.Signals) => void child.kill(name),
      }
      await killTree(root, 'SIGKILL', clock)
    },
  }
}

function readTool(file: string, child: ChildProcess): Promise<ToolResult> {
  let stdout = ''
  let stderr = ''
  return new Promise((resolve) => {
    // Listens on: a kill that fails is an event as well.
    child.on('error', (error) => resolve(notStarted(file, error)))
    // Without file descriptors to spare there are no streams, whatever the types say.
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      if (stdout.length > largestOutputChars) resolve(failed(`${file} printed without end`))
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(0, keptErrorChars)
    })
    child.stdout?.on('error', () => undefined)
    child.stderr?.on('error', () => undefined)
    child.once('close', (status, signal) => {
      resolve({ kind: 'ended', stdout, failure: failureOf(file, signal ?? status, stderr) })
    })
  })
}

function failureOf(file: string, end: number | string | null, stderr: string): string | null {
  if (end === 0) return null
  const how =
    typeof end === 'string' ? `${file} was ended by ${end}` : `${file} ended with status ${end}`
  const why = stderr.trim().split('\n')[0] ?? ''
  return why === '' ? how : `${how}: ${why}`
}

function notStarted(file: string, error: unknown): ToolResult {
  const errno = errnoOf(error)
  return failed(
    errno === 'ENOENT'
      ? `there is no ${file} here`
      : `${file} cannot be started: ${messageOf(error)}`,
  )
}

function failed(reason: string): ToolResult {
  return { kind: 'failed', reason }
}
