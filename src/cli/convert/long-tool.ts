/** Runs one long tool of somebody else's to its end: its lines as they come, and gone when it is not wanted. */
import { setPriority } from 'node:os'
import { execa } from 'execa'
import { systemClock } from '../../clock.ts'
import { messageOf } from '../../errors.ts'
import { killTree } from '../../process-tree.ts'

export interface LongTool {
  readonly file: string
  readonly args: readonly string[]
  /** All it gets. */
  readonly env: Readonly<Record<string, string>>
  readonly cwd?: string
  /** It takes all cores for long: the person's other work goes first. */
  readonly isHeavy?: boolean
  readonly signal: AbortSignal
  /** A line of stdout or stderr, also one that is drawn over again; without its end. */
  readonly onLine: (line: string) => void
}

export type ToolEnd =
  | { readonly kind: 'done' }
  /** `lastLines` are the last that it said, oldest first. */
  | { readonly kind: 'failed'; readonly how: string; readonly lastLines: readonly string[] }

const KEPT_LINES = 60
/** What a program may need of the user's surroundings; no token and no setting of ours is among it. */
const PASSED_ON: ReadonlySet<string> = new Set([
  'PATH',
  'HOME',
  'TMPDIR',
  'LANG',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'SSL_CERT_FILE',
])
/** Of a heavy tool; more would let it starve beside other work on a small machine. */
const LOW_PRIORITY = 5

/** Throws the reason of the signal when that is why it ended; every other end is a value. */
export async function runLongTool(tool: LongTool): Promise<ToolEnd> {
  const { file, args, env, cwd, signal, onLine, isHeavy = false } = tool
  signal.throwIfAborted()
  const child = execa(file, args, {
    env,
    extendEnv: false,
    ...(cwd === undefined ? {} : { cwd }),
    stdin: 'ignore',
    all: true,
    buffer: false,
    reject: false,
  })
  if (isHeavy) lowerPriority(child.pid)
  const { pid } = child
  // All that it started as well, which pip and venv do; what they leave is for the caller to remove.
  const kill = (name: NodeJS.Signals): void => void child.kill(name)
  let stopped: Promise<unknown> = Promise.resolve()
  const stop = (): void => {
    if (pid !== undefined) stopped = killTree({ pid, known: [], kill }, 'SIGKILL', systemClock)
  }
  signal.addEventListener('abort', stop)
  const lastLines: string[] = []
  for await (const line of linesOf(child.all)) {
    lastLines.push(line)
    if (lastLines.length > KEPT_LINES) lastLines.shift()
    onLine(line)
  }
  const end = await child
  await stopped
  signal.removeEventListener('abort', stop)
  signal.throwIfAborted()
  if (!end.failed) return { kind: 'done' }
  return { kind: 'failed', how: wordsFor(end), lastLines }
}

/** The part of the user's environment that such a tool gets, and `more`. Pure. */
export function toolEnvironment(
  env: NodeJS.ProcessEnv,
  prefix: string | null,
  more: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const kept = Object.entries(env).flatMap(([name, value]): [string, string][] => {
    const wanted = PASSED_ON.has(name) || (prefix !== null && name.startsWith(prefix))
    return wanted && value !== undefined ? [[name, value]] : []
  })
  return { ...Object.fromEntries(kept), ...more }
}

function lowerPriority(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    setPriority(pid, LOW_PRIORITY)
  } catch {
    // It has ended already, or the system does not let us: it works all the same.
  }
}

interface Ended {
  readonly exitCode?: number | undefined
  readonly signal?: string | undefined
  readonly cause?: unknown
}

function wordsFor({ exitCode, signal, cause }: Ended): string {
  if (exitCode !== undefined) return `it ended with status ${exitCode}`
  if (signal !== undefined) return `it was ended by ${signal}`
  return `it could not be started: ${messageOf(cause)}`
}

/** Progress bars end their lines with a carriage return. */
async function* linesOf(chunks: AsyncIterable<unknown>): AsyncIterable<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of chunks) {
    const text = chunk instanceof Uint8Array ? decoder.decode(chunk, { stream: true }) : ''
    const lines = (rest + text).split(/[\r\n]+/)
    rest = lines.pop() ?? ''
    for (const line of lines) if (line.trim() !== '') yield line
  }
  if (rest.trim() !== '') yield rest
}
