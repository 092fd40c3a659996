/** `oss20bd logs`: the last lines of the daemon and the engine, or all that comes. */
import type { LogEnd } from '../../log-files.ts'
import { closeLogEnd, logFile, openLogEnd } from '../../log-files.ts'
import type { Context } from '../command.ts'
import { defineCommand, print, say } from '../command.ts'
import type { LogEntry } from '../log-entry.ts'
import { formatLogEntry, parseLogLine } from '../log-entry.ts'
import { followFile } from '../log-follow.ts'
import { checkLineCount } from '../line-count.ts'
import { lastEntries } from '../log-tail.ts'
import { paintFor } from '../paint.ts'

const SOURCES = ['daemon', 'engine'] as const

type LogSource = (typeof SOURCES)[number]

export const command = defineCommand({
  options: {
    follow: { alias: 'f', type: 'boolean', default: false, describe: 'Go on with what comes' },
    lines: { alias: 'n', type: 'number', default: 40, describe: 'How many lines from the end' },
    engine: { type: 'boolean', default: false, describe: 'Only what llama-server wrote' },
    daemon: { type: 'boolean', default: false, describe: 'Only what the daemon wrote' },
  },
  async run(args, context) {
    const count = checkLineCount(args.lines, 'logs')
    const sources = chooseSources(args.engine, args.daemon)
    const show = await printer(context)
    const folder = context.paths.logs
    const ends = await Promise.all(sources.map((source) => openLogEnd(folder, source)))
    const entries = await lastEntries(folder, ends, count)
    for (const entry of entries) show(entry)
    if (entries.length === 0) say(context, `No lines in ${folder}`)
    if (args.follow) await follow(folder, ends, (line) => show(parseLogLine(line)))
    else await Promise.all(ends.map(closeLogEnd))
    return 0
  },
})

/** Both when neither or both are asked for. */
function chooseSources(engine: boolean, daemon: boolean): readonly LogSource[] {
  if (engine === daemon) return SOURCES
  return engine ? ['engine'] : ['daemon']
}

async function printer(context: Context): Promise<(entry: LogEntry) => void> {
  if (context.json) return (entry) => print(context, entry.raw)
  const paint = await paintFor(context.stdout, context.env)
  return (entry) => print(context, formatLogEntry(entry, paint))
}

/** Until Ctrl-C. */
async function follow(
  folder: string,
  ends: readonly LogEnd[],
  onLine: (line: string) => void,
): Promise<void> {
  const never = new AbortController().signal
  await Promise.all(ends.map((end) => followFile(logFile(folder, end.name), end, never, onLine)))
}
