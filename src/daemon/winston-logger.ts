/**
 * The only file that knows winston: daemon.log and, in the foreground, stdout. The engine's lines pass
 * through it only on their way to stdout: its formats and streams cost 9 µs a line, see engine-log.ts.
 */
import { once } from 'node:events'
import { Writable } from 'node:stream'
import { isatty } from 'node:tty'
import winston from 'winston'
import type { Clock } from '../clock.ts'
import type { LogFields, Logger } from '../log.ts'
import { RotatingFile } from '../rotating-file.ts'
import { EngineLog } from './engine-log.ts'
import { formatForPeople, formatJson, type LogEntry, type LogSource } from './log-format.ts'

export interface LoggerOptions {
  readonly folder: string
  /** The least important level that is logged. */
  readonly level: keyof Logger
  /** Each of the two files is set aside at this size, and `keep` older ones stay. */
  readonly maxBytes: number
  readonly keep: number
  /** Log to stdout too, for people. */
  readonly console: boolean
  readonly clock: Clock
}

export interface Logs {
  readonly logger: Logger
  /** One line of the engine's own output; 10,000 lines a second are all written; for the bound see flood-gate.ts. */
  engineLine(level: keyof Logger, text: string): void
  /** Lines that are in no file, because the disk was full or the folder away. */
  droppedLines(): number
  /** Writes what is queued. Later lines are lost. */
  close(): Promise<void>
}

/** Nobody misses the engine's lines for so long; the daemon's own go to the disk at once. */
const ENGINE_GATHER_MS = 50

const ENTRY = Symbol('entry')
const LINE = Symbol.for('message')

interface Info {
  readonly level: string
  readonly message: string
  readonly [ENTRY]: LogEntry
}

/** Nothing here ever throws at its caller or waits for the disk. */
export function createLogger(options: LoggerOptions): Logs {
  const fileOf = (name: string, gatherMs: number): RotatingFile =>
    new RotatingFile({
      ...options,
      name,
      gatherMs,
      onTrouble: (reason) =>
        logger.warn('log file cannot be written', { file: `${name}.log`, reason }),
      onLost: (lines) => logger.warn('log lines were lost', { file: `${name}.log`, lines }),
    })
  const files = { daemon: fileOf('daemon', 0), engine: fileOf('engine', ENGINE_GATHER_MS) }
  const daemon = winston.createLogger({
    level: options.level,
    transports: [fileTransport(files.daemon), ...consoleTransports(options, options.level)],
  })
  const logger = toLogger(daemon, options.clock)
  const watched = watchedEngine(options)
  const show = (entry: LogEntry): void => {
    if (watched !== null) send(watched, entry)
  }
  const engine = new EngineLog({ ...options, file: files.engine, show })
  if (options.console) process.stdout.on('error', ignore)
  return {
    logger,
    engineLine: (level, text) => engine.write(level, text),
    droppedLines: () => files.daemon.lostLines + files.engine.lostLines,
    close: async () => {
      // In this order, because what a file has to say about lost lines goes to the daemon's.
      engine.close()
      if (watched !== null) await end(watched)
      await files.engine.close()
      await files.daemon.flush()
      await end(daemon)
      await files.daemon.close()
      process.stdout.off('error', ignore)
    },
  }
}

/** People who watch the daemon see the engine's chatter only when they ask for it. */
function watchedEngine(options: LoggerOptions): winston.Logger | null {
  if (!options.console) return null
  const level = options.level === 'debug' || options.level === 'error' ? options.level : 'warn'
  return winston.createLogger({ level, transports: consoleTransports(options, level) })
}

async function end(target: winston.Logger): Promise<void> {
  const finished = once(target, 'finish')
  target.end()
  await finished
}

/** `oss20bd daemon | head` closes our stdout: no reason to end. */
function ignore(): void {}

function consoleTransports(
  { console: foreground }: LoggerOptions,
  level: string,
): winston.transport[] {
  if (!foreground) return []
  // Not `stdout.isTTY`: it is undefined on a pipe, which picocolors would take as "guess".
  const inColour = isatty(1) && (process.env['NO_COLOR'] ?? '') === ''
  const format = lineFormat((entry) => formatForPeople(entry, inColour))
  return [new winston.transports.Console({ level, format })]
}

function lineFormat(toLine: (entry: LogEntry) => string): winston.Logform.Format {
  return winston.format((info) => ({ ...info, [LINE]: toLine(entryOf(info)) }))()
}

function entryOf(info: object): LogEntry {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- send() made it
  return (info as Info)[ENTRY]
}

/**
 * winston's own File transport is not used: on a full disk it says nothing, stops writing for good
 * and keeps every later line in memory (136 MB after 300,000 lines).
 */
function fileTransport(file: RotatingFile): winston.transport {
  const stream = new Writable({
    decodeStrings: false,
    write: (line: string, _encoding, done) => {
      file.write(line)
      done()
    },
  })
  return new winston.transports.Stream({ stream, eol: '', format: lineFormat(formatJson) })
}

function toLogger(target: winston.Logger, clock: Pick<Clock, 'nowMs'>): Logger {
  const source: LogSource = 'daemon'
  const at =
    (level: keyof Logger) =>
    (message: string, fields: LogFields = {}): void => {
      send(target, { atMs: clock.nowMs(), level, source, message, fields })
    }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

function send(target: winston.Logger, entry: LogEntry): void {
  if (!target.isLevelEnabled(entry.level) || !target.writable) return
  const info: Info = { level: entry.level, message: entry.message, [ENTRY]: entry }
  target.log(info)
}
