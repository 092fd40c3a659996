/** `oss20bd requests`: what is open at the port and what came last, once or live. */
import { systemClock } from '../../clock.ts'
import type { RequestsAnswer } from '../../request-record.ts'
import type { Context } from '../command.ts'
import { defineCommand, print } from '../command.ts'
import { askDaemonFor } from '../control-client.ts'
import { field, isRecord } from '../json.ts'
import { checkLineCount } from '../line-count.ts'
import type { Paint } from '../paint.ts'
import { paintFor } from '../paint.ts'
import { renderRequests } from '../render-requests.ts'

const PERIOD_MS = 1000

export const command = defineCommand({
  options: {
    follow: { alias: 'f', type: 'boolean', default: false, describe: 'Show it live' },
    lines: { alias: 'n', type: 'number', default: 20, describe: 'How many ended requests' },
  },
  async run(args, context) {
    const count = checkLineCount(args.lines, 'requests')
    const show = await shower(context, args.follow)
    do {
      show(await ask(context, count))
      // Until Ctrl-C, or the daemon goes away.
      if (args.follow) await systemClock.sleep(PERIOD_MS)
    } while (args.follow)
    return 0
  },
})

async function ask(context: Context, count: number): Promise<RequestsAnswer> {
  const path = `/requests?recent=${count}`
  const answer = await askDaemonFor(isAnswer, context.paths.controlSocket, { method: 'GET', path })
  return { ...answer, recent: answer.recent.slice(0, count) }
}

/** Enough to tell it from the answer of another version. */
function isAnswer(value: unknown): value is RequestsAnswer {
  const open = field(value, 'open')
  const recent = field(value, 'recent')
  return (
    Array.isArray(open) &&
    open.every((row) => typeof field(row, 'phase') === 'string') &&
    Array.isArray(recent) &&
    recent.every((row) => typeof field(row, 'outcome') === 'string') &&
    isRecord(field(value, 'totals', 'byOutcome'))
  )
}

/** JSON for a program: one object, or one per line. A live table for a terminal; elsewhere one below the other. */
async function shower(
  context: Context,
  isLive: boolean,
): Promise<(answer: RequestsAnswer) => void> {
  const indent = isLive ? undefined : 2
  if (context.json) return (answer) => print(context, JSON.stringify(answer, undefined, indent))
  const paint = await paintFor(context.stdout, context.env)
  if (!isLive || context.stdout.isTTY !== true) {
    let isFirst = true
    return (answer) => {
      if (!isFirst) print(context, '')
      isFirst = false
      for (const line of linesOf(answer, paint, context)) print(context, line)
    }
  }
  return liveTable(context, paint)
}

/** Writes over what it wrote before, so that the last table stays when the command ends. */
function liveTable(context: Context, paint: Paint): (answer: RequestsAnswer) => void {
  let shown = 0
  let shownWidth = 0
  return (answer) => {
    const width = widthOf(context)
    // One line less: the cursor is below the table.
    const lines = linesOf(answer, paint, context).slice(0, (process.stdout.rows ?? 24) - 1)
    // A terminal that became narrower has wrapped the old lines, so that nobody knows where they begin.
    const back = width < shownWidth ? '\u001B[2J\u001B[H' : `\u001B[${shown}A\r\u001B[J`
    const start = shown === 0 ? '' : back
    context.stdout.write(`${start}${lines.map((line) => `${line}\n`).join('')}`)
    shown = lines.length
    shownWidth = width
  }
}

function linesOf(answer: RequestsAnswer, paint: Paint, context: Context): readonly string[] {
  return renderRequests(answer, { paint, width: widthOf(context), nowMs: Date.now() })
}

/** A file or a pipe has no edge. */
function widthOf(context: Context): number {
  return context.stdout.isTTY === true ? (process.stdout.columns ?? 80) : Infinity
}
