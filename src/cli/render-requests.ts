/** The requests at the port as the lines a person reads. Pure. */
import type {
  RequestOutcome,
  RequestPhase,
  RequestRecord,
  RequestsAnswer,
  RequestTotals,
  RequestView,
} from '../request-record.ts'
import { formatDuration } from '../units.ts'
import { printable } from './log-entry.ts'
import type { Paint } from './paint.ts'
import { cutToWidth } from './text-width.ts'
import { type Column, renderTable } from './table.ts'

export interface RequestsLook {
  readonly paint: Paint
  /** Characters in a line; Infinity when nobody counts. */
  readonly width: number
  /** The wall clock, for how long ago something ended. */
  readonly nowMs: number
}

type Row = RequestView | RequestRecord

/** What is open, then the last ones, newest first, in one table; above it what happened in all. */
export function renderRequests(answer: RequestsAnswer, look: RequestsLook): readonly string[] {
  const { open, recent, totals } = answer
  const summary = [openText(open), totalsText(totals)].map((text) => cutToWidth(text, look.width))
  const rows: readonly Row[] = [...open, ...recent]
  if (rows.length === 0) return summary
  const [titles = '', ...lines] = renderTable(columnsOf(look.nowMs), rows, look.width)
  return [
    ...summary,
    look.paint.dim(titles),
    ...lines.map((line, index) => dyeOf(rows[index], look.paint)(line)),
  ]
}

function columnsOf(nowMs: number): readonly Column<Row>[] {
  return [
    { title: 'ID', cell: (row) => row.id, dropOrder: 0 },
    { title: 'STATE', cell: stateText, dropOrder: 0 },
    { title: 'TIME', cell: (row) => formatDuration(timeOf(row)), align: 'right', dropOrder: 0 },
    { title: 'CLIENT', cell: (row) => printable(row.client), dropOrder: 1, minWidth: 10 },
    { title: 'MODEL', cell: (row) => printable(row.alias ?? ''), dropOrder: 3, minWidth: 18 },
    { title: 'REQUEST', cell: requestText, dropOrder: 4, minWidth: 11 },
    { title: 'OUT', cell: (row) => count(row.generatedTokens), align: 'right', dropOrder: 2 },
    { title: 'OUT/S', cell: (row) => rate(row.generatedPerSecond), align: 'right', dropOrder: 5 },
    { title: 'IN', cell: (row) => count(row.promptTokens), align: 'right', dropOrder: 6 },
    { title: 'FIRST', cell: (row) => time(row.firstByteMs), align: 'right', dropOrder: 7 },
    { title: 'QUEUED', cell: (row) => wait(row.queuedMs), align: 'right', dropOrder: 8 },
    { title: 'HELD', cell: (row) => wait(row.heldMs), align: 'right', dropOrder: 8 },
    { title: 'AGAIN', cell: againText, align: 'right', dropOrder: 9 },
    { title: 'ENDED', cell: (row) => agoText(row, nowMs), align: 'right', dropOrder: 10 },
  ]
}

const PHASES: Readonly<Record<RequestPhase, string>> = {
  received: 'uploading',
  queued: 'queued',
  held: 'held',
  engine: 'reading',
  answering: 'answering',
}

const OUTCOMES: Readonly<Record<RequestOutcome, string>> = {
  answered: '',
  refused: 'refused',
  failed: 'failed',
  broken: 'cut off',
  'client-gone': 'app left',
  'passed-on': 'passed on',
  cancelled: 'cancelled',
}

function stateText(row: Row): string {
  if ('phase' in row) return row.isCancelled ? 'cancelling' : PHASES[row.phase]
  const status = row.status === null ? '' : String(row.status)
  return [status, OUTCOMES[row.outcome]].filter((part) => part !== '').join(' ')
}

function timeOf(row: Row): number {
  return 'phase' in row ? row.ageMs : row.tookMs
}

/** The shapes that everybody knows by name, everything else by its path. */
function requestText(row: Row): string {
  const known = row.api !== null && row.api !== 'native'
  return known ? row.api : printable(`${row.method} ${row.path}`)
}

function againText(row: Row): string {
  const parts = [
    row.replays === 0 ? '' : `${row.replays} sent again`,
    row.continuations === 0 ? '' : `${row.continuations} continued`,
  ]
  return parts.filter((part) => part !== '').join(', ')
}

function agoText(row: Row, nowMs: number): string {
  if ('phase' in row) return ''
  const agoMs = nowMs - Date.parse(row.endedAt)
  return Number.isFinite(agoMs) ? `${formatDuration(Math.max(0, agoMs))} ago` : ''
}

function count(value: number | null): string {
  return value === null ? '' : String(value)
}

function rate(perSecond: number | null): string {
  return perSecond === null ? '' : perSecond.toFixed(1)
}

function time(durationMs: number | null): string {
  return durationMs === null ? '' : formatDuration(durationMs)
}

/** A wait too short to notice is none. */
function wait(durationMs: number): string {
  return durationMs < 1 ? '' : formatDuration(durationMs)
}

function dyeOf(row: Row | undefined, paint: Paint): (text: string) => string {
  if (row === undefined) return paint.dim
  if ('phase' in row) return row.phase === 'answering' ? paint.good : paint.warn
  switch (row.outcome) {
    case 'answered':
    case 'client-gone':
    case 'passed-on':
    case 'cancelled':
      return paint.dim
    case 'refused':
      return paint.warn
    case 'failed':
    case 'broken':
      return paint.bad
  }
}

/** `3 open: 1 answering, 2 queued`. */
function openText(open: readonly RequestView[]): string {
  if (open.length === 0) return 'None open'
  const words = open.map((row) => PHASES[row.phase])
  const counts = [...new Set(words)].map(
    (word) => `${words.filter((other) => other === word).length} ${word}`,
  )
  return `${open.length} open: ${counts.join(', ')}`
}

/** `1204 ended since the daemon started: 2 failed, 12 sent again`. */
function totalsText({ ended, byOutcome, ...totals }: RequestTotals): string {
  const parts = [
    some(byOutcome.failed, 'failed'),
    some(byOutcome.broken, 'cut off'),
    some(byOutcome.refused, 'refused'),
    some(totals.replays, 'sent again'),
    some(totals.continuations, 'continued'),
    some(totals.generatedTokens, 'tokens out'),
  ].filter((part) => part !== '')
  return `${ended} ended since the daemon started${parts.length === 0 ? '' : `: ${parts.join(', ')}`}`
}

function some(value: number, word: string): string {
  return value === 0 ? '' : `${value} ${word}`
}
