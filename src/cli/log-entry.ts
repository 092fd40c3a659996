/** One line of a log file, understood and put into words. Pure. */
import { isRecord, parseJson } from './json.ts'
import type { Paint } from './paint.ts'

/** `llama-server` is the longest. */
const SOURCE_WIDTH = 12

export interface LogEntry {
  /** The line as JSON: as it is in the file, if it is that there. */
  readonly raw: string
  /** Milliseconds since the epoch; null when the line does not say. */
  readonly atMs: number | null
  readonly fields: Readonly<Record<string, unknown>>
}

/** As the shim begins its lines. */
const TIMED = /^(?<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z) (?<message>.*)$/

/** Reads one line of that file. One that is not JSON is kept as it is. */
export function parseLogLine(raw: string, source: string): LogEntry {
  const fields = parseJson(raw)
  // A line cut by a full disk or a crash may be the very one that is looked for.
  if (!isRecord(fields)) return plainEntry(raw, source)
  return { raw, atMs: readTime(fields['at']), fields }
}

function plainEntry(line: string, source: string): LogEntry {
  const { at = null, message = line } = TIMED.exec(line)?.groups ?? {}
  const fields = { at, source, message }
  return { raw: JSON.stringify(fields), atMs: readTime(at), fields }
}

function readTime(at: unknown): number | null {
  const atMs = typeof at === 'string' ? Date.parse(at) : NaN
  return Number.isNaN(atMs) ? null : atMs
}

/** `07:43:30.123 warn engine  message key=value`, in local time, safe to print on a terminal. */
export function formatLogEntry(entry: LogEntry, paint: Paint): string {
  const { at: _at, level, source, message, ...rest } = entry.fields
  const facts = Object.entries(rest).map(([key, value]) => `${key}=${valueText(value)}`)
  return [
    paint.dim(entry.atMs === null ? '-'.padEnd(23) : localTime(new Date(entry.atMs))),
    levelText(level, paint),
    paint.dim(printable(textOf(source, '')).padEnd(SOURCE_WIDTH)),
    printable(textOf(message, '')),
    ...(facts.length === 0 ? [] : [paint.dim(printable(facts.join(' ')))]),
  ].join(' ')
}

function levelText(level: unknown, paint: Paint): string {
  const text = printable(textOf(level, '')).padEnd(5)
  if (level === 'error') return paint.bad(text)
  return level === 'warn' ? paint.warn(text) : text
}

function textOf(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise
}

function valueText(value: unknown): string {
  const plain = typeof value === 'string' && /^[^\s"=]+$/.test(value)
  return plain ? value : (JSON.stringify(value) ?? 'undefined')
}

/** The engine may print anything: what steers a terminal, or turns the direction of a line, is shown as its code. */
export function printable(text: string): string {
  return text.replaceAll(
    // oxlint-disable-next-line no-control-regex -- they are what is looked for
    /[\u0000-\u001F\u007F-\u009F\u200E\u200F\u2028-\u202E\u2066-\u2069]/g,
    (character) => {
      if (character === '\t') return ' '
      const code = character.charCodeAt(0)
      return code < 256 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`
    },
  )
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0')
}

/** `2026-01-31 07:43:30.123`. */
export function localTime(date: Date): string {
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  return `${day} ${time}.${String(date.getMilliseconds()).padStart(3, '0')}`
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}
