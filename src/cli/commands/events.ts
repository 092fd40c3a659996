/** `oss20bd events`: what the journal holds, also when no daemon runs. */
import type { JournalEvent } from '../../journal.ts'
import { eventsBefore, JOURNAL, parseJournalLine } from '../../journal-files.ts'
import { closeLogEnd, logFile, openLogEnd } from '../../log-files.ts'
import type { Context } from '../command.ts'
import { defineCommand, print, say } from '../command.ts'
import { parseSince } from '../journal-since.ts'
import { checkLineCount } from '../line-count.ts'
import { followFile } from '../log-follow.ts'
import { paintFor } from '../paint.ts'
import { renderEvent, timeText } from '../render-event.ts'

const USUAL_COUNT = 40

export const command = defineCommand({
  options: {
    follow: { alias: 'f', type: 'boolean', default: false, describe: 'Go on with what comes' },
    since: { type: 'string', describe: 'Only from then on: 10m, 2h, 1d, or a time' },
    lines: {
      alias: 'n',
      type: 'number',
      describe: `How many events from the end (${USUAL_COUNT}; all with --since)`,
    },
    evidence: { type: 'boolean', default: false, describe: 'Show the lines that prove it' },
  },
  async run(args, context) {
    const sinceMs = args.since === undefined ? null : parseSince(args.since, Date.now())
    const usual = sinceMs === null ? USUAL_COUNT : Infinity
    const count = args.lines === undefined ? usual : checkLineCount(args.lines, 'events')
    const show = await printer(context, args.evidence)
    const folder = context.paths.logs
    const end = await openLogEnd(folder, JOURNAL)
    try {
      const isWanted = (event: JournalEvent): boolean =>
        Date.parse(event.at) >= (sinceMs ?? -Infinity)
      const events = await eventsBefore(folder, end, count, isWanted)
      for (const event of events) show(event)
      if (events.length === 0) say(context, nothing(logFile(folder, JOURNAL), sinceMs))
      if (!args.follow) return 0
      // Until Ctrl-C.
      await followFile(logFile(folder, JOURNAL), end, new AbortController().signal, (line) => {
        const event = parseJournalLine(line)
        if (event !== null) show(event)
      })
    } finally {
      await closeLogEnd(end)
    }
    return 0
  },
})

function nothing(file: string, sinceMs: number | null): string {
  return `No events ${sinceMs === null ? '' : `since ${timeText(sinceMs)} `}in ${file}`
}

async function printer(
  context: Context,
  withEvidence: boolean,
): Promise<(event: JournalEvent) => void> {
  if (context.json) return (event) => print(context, JSON.stringify(event))
  const paint = await paintFor(context.stdout, context.env)
  return (event) => {
    for (const line of renderEvent(event, paint, withEvidence)) print(context, line)
  }
}
