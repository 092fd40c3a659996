/** `oss20bd logs`: the last lines of the daemon, the engine and the service, or all that comes. */
import type { Context } from '../command.ts'
import { defineCommand, print, say } from '../command.ts'
import type { LogEntry } from '../log-entry.ts'
import { formatLogEntry } from '../log-entry.ts'
import { checkLineCount } from '../line-count.ts'
import { LOG_KINDS, type LogKind, openLogSources } from '../log-sources.ts'
import type { LogSource } from '../log-source.ts'
import { lastEntries } from '../log-tail.ts'
import { paintFor } from '../paint.ts'

export const command = defineCommand({
  options: {
    follow: { alias: 'f', type: 'boolean', default: false, describe: 'Go on with what comes' },
    lines: { alias: 'n', type: 'number', default: 40, describe: 'How many lines from the end' },
    engine: { type: 'boolean', default: false, describe: 'Only what llama-server wrote' },
    daemon: { type: 'boolean', default: false, describe: 'Only what the daemon wrote' },
    service: {
      type: 'boolean',
      default: false,
      describe: 'Only what Node, launchd or systemd said of it',
    },
  },
  async run(args, context) {
    const count = checkLineCount(args.lines, 'logs')
    const show = await printer(context)
    const sources = await openLogSources(chooseKinds(args), context, count)
    const entries = await lastEntries(sources, count)
    for (const entry of entries) show(entry)
    if (entries.length === 0) say(context, `No lines in ${context.paths.logs}`)
    if (args.follow) await follow(sources, show)
    else await Promise.all(sources.map((source) => source.close()))
    return 0
  },
})

/** All when none is asked for. */
function chooseKinds(asked: Readonly<Record<LogKind, boolean>>): readonly LogKind[] {
  const chosen = LOG_KINDS.filter((kind) => asked[kind])
  return chosen.length === 0 ? LOG_KINDS : chosen
}

async function printer(context: Context): Promise<(entry: LogEntry) => void> {
  if (context.json) return (entry) => print(context, entry.raw)
  const paint = await paintFor(context.stdout, context.env)
  return (entry) => print(context, formatLogEntry(entry, paint))
}

/** Until Ctrl-C. */
async function follow(
  sources: readonly LogSource[],
  show: (entry: LogEntry) => void,
): Promise<void> {
  const never = new AbortController().signal
  await Promise.all(sources.map((source) => source.follow(never, show)))
}
