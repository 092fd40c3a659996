/** What systemd keeps of the service: its own words on it, and what is printed before our log opens. */
import { execa } from 'execa'
import { errnoOf } from '../errors.ts'
import { isRecord, parseJson } from './json.ts'
import type { LogEntry } from './log-entry.ts'
import type { LogSource } from './log-source.ts'

export interface JournaldOptions {
  /** `--user-unit=oss20bd.service` or `--unit=oss20bd.service`. */
  readonly unitArg: string
  readonly env: NodeJS.ProcessEnv
  /** How many lines from the end may be wanted. */
  readonly count: number
  /** It cannot be read: told once, with the reason. What was read so far counts. */
  readonly onTrouble: (reason: string) => void
}

const FORMAT = [
  '--output=json',
  '--output-fields=MESSAGE,PRIORITY,SYSLOG_IDENTIFIER',
  '--no-pager',
  '--quiet',
]

export function openJournaldSource(options: JournaldOptions): LogSource {
  const lines = [`--lines=${options.count}`, '--reverse']
  return {
    endAtMs: 0,
    backwards: () => ask(options, lines, new AbortController().signal),
    follow: async (signal, onEntry) => {
      for await (const entry of ask(options, ['--lines=0', '--follow'], signal)) onEntry(entry)
    },
    close: () => Promise.resolve(),
  }
}

async function* ask(
  { unitArg, env, onTrouble }: JournaldOptions,
  args: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<LogEntry> {
  const child = execa('journalctl', [unitArg, ...args, ...FORMAT], {
    env: { ...env, LC_ALL: 'C' },
    extendEnv: false,
    stdin: 'ignore',
    reject: false,
    buffer: { stdout: false },
    maxBuffer: { stderr: 10_000 },
  })
  const end = (): void => void child.kill()
  signal.addEventListener('abort', end)
  let cameToEnd = false
  try {
    for await (const line of child.iterable()) yield parseJournaldLine(line)
    cameToEnd = !signal.aborted
  } finally {
    signal.removeEventListener('abort', end)
    if (!cameToEnd) end()
    const result = await child
    if (cameToEnd && result.failed) onTrouble(reasonOf(result))
  }
}

function reasonOf(result: { cause?: unknown; exitCode?: number; stderr: string }): string {
  if (errnoOf(result.cause) === 'ENOENT') return 'there is no journalctl'
  const said = result.stderr.trim().split('\n')[0] ?? ''
  return said === '' ? `journalctl ended with status ${String(result.exitCode)}` : said
}

/** One object of `journalctl --output=json`. Pure. */
export function parseJournaldLine(line: string): LogEntry {
  const read = parseJson(line)
  const fields = isRecord(read) ? read : {}
  const micros = Number(fields['__REALTIME_TIMESTAMP'])
  const atMs = Number.isFinite(micros) && micros > 0 ? Math.floor(micros / 1000) : null
  const own = {
    at: atMs === null ? null : new Date(atMs).toISOString(),
    level: levelOf(fields['PRIORITY']),
    source: textOf(fields['SYSLOG_IDENTIFIER']) ?? 'journald',
    message: textOf(fields['MESSAGE']) ?? line,
  }
  return { raw: JSON.stringify(own), atMs, fields: own }
}

/** As syslog(3) counts. */
function levelOf(priority: unknown): string {
  const rank = typeof priority === 'string' && priority !== '' ? Number(priority) : NaN
  if (rank <= 3) return 'error'
  if (rank === 4) return 'warn'
  return rank === 7 ? 'debug' : 'info'
}

/** journalctl writes a text that is not UTF-8, or has control characters, as a list of its bytes. */
function textOf(value: unknown): string | null {
  if (typeof value === 'string') return value
  const isBytes = Array.isArray(value) && value.every((byte) => typeof byte === 'number')
  return isBytes ? Buffer.from(value).toString('utf8') : null
}
