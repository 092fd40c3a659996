/** A log record as a JSON line for files and as a line for people. Pure. */
import { createColors } from 'picocolors'
import type { LogFields, Logger } from '../log.ts'

export type LogSource = 'daemon' | 'llama-server'

export interface LogEntry {
  /** Epoch. */
  readonly atMs: number
  readonly level: keyof Logger
  readonly source: LogSource
  readonly message: string
  readonly fields: LogFields
}

/** `{"at":…,"level":…,"source":…,"message":…,…fields}`; a field cannot take the place of one of the four. */
export function formatJson({ atMs, level, source, message, fields }: LogEntry): string {
  const own = { at: new Date(atMs).toISOString(), level, source, message }
  return JSON.stringify({ ...own, ...fields, ...own })
}

/**
 * As `formatJson` for one source and no facts, at a tenth of the cost: what lines of one millisecond
 * have in common is made once.
 */
export class JsonLineFormat {
  readonly #source: LogSource
  #atMs = NaN
  #level: keyof Logger = 'info'
  #head = ''

  constructor(source: LogSource) {
    this.#source = source
  }

  line(atMs: number, level: keyof Logger, message: string): string {
    if (atMs !== this.#atMs || level !== this.#level) {
      const at = new Date(atMs).toISOString()
      this.#head = `{"at":"${at}","level":"${level}","source":"${this.#source}","message":`
      this.#atMs = atMs
      this.#level = level
    }
    return `${this.#head}${JSON.stringify(message)}}`
  }
}

/** `HH:MM:SS level message key=value`, in local time. */
export function formatForPeople(entry: LogEntry, inColour: boolean): string {
  const colour = createColors(inColour)
  const paint = { debug: colour.dim, info: colour.green, warn: colour.yellow, error: colour.red }
  const facts = Object.entries(entry.fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => colour.dim(`${key}=${quoted(String(value))}`))
  const message = entry.source === 'daemon' ? entry.message : `${entry.source}: ${entry.message}`
  return [
    colour.dim(new Date(entry.atMs).toTimeString().slice(0, 8)),
    paint[entry.level](entry.level.padEnd(5)),
    harmless(message),
    ...facts,
  ].join(' ')
}

function quoted(value: string): string {
  return /^[^\s"=]+$/.test(value) ? harmless(value) : harmless(JSON.stringify(value))
}

/** What comes from the engine must not steer the terminal. */
function harmless(text: string): string {
  // oxlint-disable-next-line no-control-regex -- those are what is looked for
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, ' ')
}
