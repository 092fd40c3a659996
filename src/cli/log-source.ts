/** One of the logs that `oss20bd logs` puts together: read from its end backwards, then followed. */
import { stat } from 'node:fs/promises'
import { closeLogEnd, logFile, openLogEnd, readBackwards } from '../log-files.ts'
import { type LogEntry, parseLogLine } from './log-entry.ts'
import { followFile } from './log-follow.ts'

export interface LogSource {
  /** For files: when something was last written. Lines of which none has a time are put there. */
  readonly endAtMs: number
  /** Newest first, up to where `follow` begins. */
  backwards(): AsyncGenerator<LogEntry>
  /** All that comes from now on, until `signal` aborts. Then it is closed. */
  follow(signal: AbortSignal, onEntry: (entry: LogEntry) => void): Promise<void>
  close(): Promise<void>
}

/** A log in `folder`, as `engine` or `launchd.err`, with its rotated files. It need not be there yet. */
export async function openFileSource(folder: string, name: string): Promise<LogSource> {
  const end = await openLogEnd(folder, name)
  const file = logFile(folder, name)
  const parse = (line: string): LogEntry => parseLogLine(line, name)
  return {
    endAtMs: (await end.file?.stat())?.mtimeMs ?? (await writtenAtMs(logFile(folder, name, 1))),
    backwards: () => parsed(readBackwards(folder, end), parse),
    follow: (signal, onEntry) => followFile(file, end, signal, (line) => onEntry(parse(line))),
    close: () => closeLogEnd(end),
  }
}

async function writtenAtMs(file: string): Promise<number> {
  return stat(file).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  )
}

async function* parsed(
  lines: AsyncGenerator<string>,
  parse: (line: string) => LogEntry,
): AsyncGenerator<LogEntry> {
  for await (const line of lines) yield parse(line)
}
