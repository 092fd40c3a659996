/** The parts of the live view, each as its lines. Pure. */
import type { Status } from '../../daemon/control-protocol.ts'
import type { Now } from '../../daemon/dashboard/feed-protocol.ts'
import type { Sample } from '../../daemon/dashboard/sample.ts'
import type { EngineSlot } from '../../engine.ts'
import type { JournalEvent } from '../../journal.ts'
import { readPromptProgress } from '../../llama/prompt-progress.ts'
import { localTime, parseLogLine, printable } from '../log-entry.ts'
import type { Paint } from '../paint.ts'
import { eventDye } from '../render-event.ts'
import { renderRequests } from '../render-requests.ts'
import { type Glyphs, memoryBar } from '../status/bar.ts'
import { levelDye, percent, usedText } from '../status/words.ts'
import { cutToWidth, padToWidth } from '../text-width.ts'
import { plot } from './plot.ts'
import { series, STEP_MS } from './samples.ts'

export interface PaneLook {
  readonly paint: Paint
  readonly glyphs: Glyphs
  readonly width: number
  /** The wall clock. */
  readonly nowMs: number
}

/** `memory ████▒▒░░░░ ok: 12.0 of 28.0 GiB (43 %)`, and what it was. */
export function memoryPane(
  memory: Status['memory'],
  samples: readonly Sample[],
  rows: number,
  look: PaneLook,
): readonly string[] {
  const { width, glyphs, paint, nowMs } = look
  const { footprintBytes, plannedBytes, budgetBytes, level } = memory
  const dye = levelDye(level, paint)
  const text = cutToWidth(`memory ${printable(usedText(memory))}`, width)
  const values = series(samples, 'footprintBytes', width, nowMs)
  const known = values.filter((value) => value !== null)
  const max = Math.max(budgetBytes ?? 0, ...known)
  const lines = plot(values, rows, max, glyphs.levels).map((line) => dye(line))
  const barWidth = Math.min(30, width - text.length - 2)
  if (footprintBytes === null || budgetBytes === null || barWidth < 8) return [text, ...lines]
  const bar = memoryBar({ usedBytes: footprintBytes, plannedBytes, budgetBytes }, barWidth, glyphs)
  const gap = ' '.repeat(width - text.length - barWidth)
  return [`${text}${gap}${dye(bar.used)}${bar.planned}${paint.dim(bar.free)}`, ...lines]
}

const MINUTE_MS = 60_000

/** Tokens per second while it generated. */
export function speedPane(
  throughput: Status['throughput'],
  samples: readonly Sample[],
  rows: number,
  look: PaneLook,
): readonly string[] {
  const { width, glyphs, paint, nowMs } = look
  const values = series(samples, 'generatedPerSecond', width, nowMs)
  const known = values.filter((value) => value !== null)
  const max = Math.max(0, ...known)
  const last = known.at(-1) ?? throughput.generatedTokensPerSecond
  const read = throughput.promptTokensPerSecond
  const span = `${Math.max(1, Math.round((width * STEP_MS) / MINUTE_MS))} min`
  const parts = [
    last === null ? 'speed unknown yet' : `speed ${last.toFixed(1)} tokens/s`,
    max === 0 ? `last ${span}` : `most in ${span}: ${max.toFixed(1)}`,
    ...(read === null ? [] : [`reads ${read.toFixed(0)}`]),
  ]
  const lines = plot(values, rows, max, glyphs.levels).map((line) => paint.code(line))
  return [cutToWidth(parts.join(', '), width), ...lines]
}

/** One line for each slot: how far it is with the prompt, or how much it has written. */
export function slotsPane(
  slots: readonly EngineSlot[],
  log: readonly string[],
  look: PaneLook,
): readonly string[] {
  return slots.map((slot) => {
    const line = cutToWidth(slotText(slot, log, look), look.width)
    return slot.isBusy ? look.paint.good(line) : look.paint.dim(line)
  })
}

const SLOT_BAR = 12

function slotText(slot: EngineSlot, log: readonly string[], { glyphs }: PaneLook): string {
  const { id, isBusy, taskId, heldTokens, readTokens, contextTokens } = slot
  if (!isBusy) return `slot ${id} idle`
  const written = slot.generatedTokens ?? 0
  if (written === 0) {
    const share = taskId === null ? null : promptShare(log, taskId)
    if (share !== null)
      return `slot ${id} ${shareBar(share, glyphs)} reads the prompt, ${percent(share)}`
    return `slot ${id} reads the prompt${readTokens === null ? '' : `, ${readTokens} tokens so far`}`
  }
  if (contextTokens === null || heldTokens === null || contextTokens <= 0) {
    return `slot ${id} has written ${written} tokens`
  }
  const full = Math.min(1, heldTokens / contextTokens)
  return `slot ${id} ${shareBar(full, glyphs)} has written ${written} tokens, context ${percent(full)} full`
}

/** Only the log tells of how much it is to read. */
function promptShare(log: readonly string[], taskId: number): number | null {
  for (const line of log.toReversed()) {
    const progress = readPromptProgress(line)
    if (progress !== null && progress.taskId === taskId) return progress.share
  }
  return null
}

function shareBar(share: number, { used, free }: Glyphs): string {
  const full = Math.round(share * SLOT_BAR)
  return used.repeat(full) + free.repeat(SLOT_BAR - full)
}

/** What is open and what came last, with a mark at the chosen one. */
export function requestsPane(
  requests: Now['requests'],
  chosen: string | null,
  look: PaneLook,
): readonly string[] {
  const { paint, width, nowMs } = look
  const all = renderRequests(requests, { paint, width: Math.max(1, width - 2), nowMs })
  // Its second line is about all time: the head tells of today.
  const [summary = '', _totals, ...table] = all
  const at = requests.open.findIndex(({ id }) => id === chosen)
  // The first line of the table is that of its titles.
  return [
    title(`requests: ${summary.toLowerCase()}`, look),
    ...table.map(
      (line, index) => `${at !== -1 && index === at + 1 ? paint.strong('>') : ' '} ${line}`,
    ),
  ]
}

/** The newest last. */
export function eventsPane(
  events: readonly JournalEvent[],
  rows: number,
  look: PaneLook,
): readonly string[] {
  const { paint, width } = look
  return [
    title('events', look),
    ...newest(events, rows - 1).map((event) => {
      const time = clockTime(Date.parse(event.at))
      const text = cutToWidth(printable(event.message), width - time.length - 1)
      return `${paint.dim(time)} ${eventDye(event, paint)(text)}`
    }),
  ]
}

/** `lines`: as they are in the file. */
export function logPane(lines: readonly string[], rows: number, look: PaneLook): readonly string[] {
  const { paint, width } = look
  return [
    title('engine log', look),
    ...newest(lines, rows - 1).map((raw) => {
      const { atMs, fields } = parseLogLine(raw, 'engine')
      const { level, message } = fields
      const time = clockTime(atMs ?? NaN)
      const text = cutToWidth(
        printable(typeof message === 'string' ? message : raw),
        width - time.length - 1,
      )
      return `${paint.dim(time)} ${levelPaint(level, paint)(text)}`
    }),
  ]
}

function levelPaint(level: unknown, paint: Paint): (text: string) => string {
  if (level === 'error') return paint.bad
  return level === 'warn' ? paint.warn : (text) => text
}

function title(text: string, { paint, width, glyphs }: PaneLook): string {
  const line = glyphs.used === '#' ? '-' : '─'
  const cut = cutToWidth(text, width)
  const rest = Math.max(0, width - padToWidth(cut, 0).length - 1)
  return `${paint.strong(cut)} ${paint.dim(line.repeat(rest))}`.trimEnd()
}

function newest<Item>(items: readonly Item[], count: number): readonly Item[] {
  return count <= 0 ? [] : items.slice(-count)
}

/** `14:02:11`, in local time. */
export function clockTime(atMs: number): string {
  return Number.isNaN(atMs) ? '--:--:--' : localTime(new Date(atMs)).slice(11, 19)
}
