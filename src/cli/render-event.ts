/** An event of the journal as the lines a person reads. Pure. */
import type { JournalEvent } from '../journal.ts'
import { localTime, printable } from './log-entry.ts'
import type { Paint } from './paint.ts'

/** `daemon-started` and `daemon-stopped` are the longest. */
const KIND_WIDTH = 14
const LABEL_WIDTH = 11

/** Time, kind and what happened on one line; below it, indented, what to do and, when asked, the evidence. */
export function renderEvent(
  event: JournalEvent,
  paint: Paint,
  withEvidence: boolean,
): readonly string[] {
  const evidence = withEvidence ? event.evidence : []
  return [
    eventLine(event, paint),
    ...(event.hint === null
      ? []
      : [`  ${paint.dim('do'.padEnd(LABEL_WIDTH))}${printable(event.hint)}`]),
    ...evidence.map((line) => evidenceLine(line, paint)),
  ]
}

/** `2026-01-31 07:43:30 exit           llama-server crashed (SIGSEGV)`, in local time. */
export function eventLine(event: JournalEvent, paint: Paint): string {
  const kind = printable(event.kind).padEnd(KIND_WIDTH)
  return `${paint.dim(timeText(Date.parse(event.at)))} ${eventDye(event, paint)(kind)} ${printable(event.message)}`
}

export function evidenceLine(line: string, paint: Paint): string {
  return `  ${paint.dim('|')} ${printable(line)}`
}

/** `2026-01-31 07:43:30`, in local time. */
export function timeText(atMs: number): string {
  return localTime(new Date(atMs)).slice(0, '2026-01-31 07:43:30'.length)
}

export function eventDye({ kind, facts }: JournalEvent, paint: Paint): (text: string) => string {
  switch (kind) {
    case 'exit':
      return facts['cause'] === 'asked' ? paint.strong : paint.bad
    case 'hang':
      return paint.bad
    case 'explained':
    case 'decision':
    case 'orphan':
    case 'wake':
    case 'memory':
    case 'port':
    case 'engine':
      return paint.warn
    case 'state':
      return stateDye(facts['to'], paint)
    case 'daemon-started':
    case 'daemon-stopped':
    case 'asked':
    case 'stop-report':
    case 'changed':
      return paint.strong
  }
  // A journal may hold what a newer version wrote.
  return paint.strong
}

function stateDye(to: unknown, paint: Paint): (text: string) => string {
  if (to === 'ready') return paint.good
  return to === 'failed' || to === 'refused' ? paint.bad : paint.strong
}
