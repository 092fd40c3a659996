/** The only file that knows winston: daemon.log, engine.log and, in the foreground, stdout. */
import { once } from 'node:events'
import { Writable } from 'node:stream'
import { isatty } from 'node:tty'
import winston from 'winston'
import type { Clock } from '../clock.ts'
import type { LogFields, Logger } from '../log.ts'
import { formatForPeople, formatJson, type LogEntry, type LogSource } from './log-format.ts'
import { RotatingFile } from './rotating-file.ts'

export interface LoggerOptions {
  readonly folder: string
  /** The least important level that is logged. */
  readonly level: keyof Logger
  /** Each of the two files is set aside at this size, and `keep` older ones stay. */
  readonly maxBytes: number
  readonly keep: number
  /** Log to stdout too, for people. */
  readonly console: boolean
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>
}

export interface Logs {
  readonly logger: Logger
  /** One line of the engine's own output. */
  engineLine(level: keyof Logger, text: string): void
  /** Lines that are in no file, because the disk was full or the folder away. */
  droppedLines(): number
  /** Writes what is queued. Later lines are lost. */
  close(): Promise<void>
}

const ENTRY = Symbol('entry')
const LINE = Symbol.for('message')

interface Info {
  readonly level: string
  readonly message: string
  readonly [ENTRY]: LogEntry
}

/** Nothing here ever throws at its caller or waits for the disk. */
export function createLogger(options: LoggerOptions): Logs {
  const fileOf = (name: string): RotatingFile =>
    new RotatingFile({
      ...options,
      name,
      onTrouble: (reason) =>
        logger.warn('log file cannot be written', { file: `${name}.log`, reason }),
      onLost: (lines) => logger.warn('log lines were lost', { file: `${name}.log`, lines }),
    })
  const files = { daemon: fileOf('daemon'), engine: fileOf('engine') }
  const daemon = winstonLogger(options, files.daemon, options.level)
  // People who watch the daemon see the engine's chatter only when they ask for it.
  const engine = winstonLogger(options, files.engine, options.level === 'debug' ? 'debug' : 'warn')
  const logger = toLogger(daemon, options.clock)
  if (options.console) process.stdout.on('error', ignore)
  return {
    logger,
    engineLine: (level, text) => {
      send(engine, {
        atMs: options.clock.nowMs(),
        level,
        source: 'llama-server',
        message: text,
        fields: {},
      })
    },
    droppedLines: () => files.daemon.lostLines + files.engine.lostLines,
    close: async () => {
      // In this order, because what a file has to say about lost lines goes to the daemon's.
      await end(engine)
      await files.engine.close()
      await files.daemon.flush()
      await end(daemon)
      await files.daemon.close()
      process.stdout.off('error', ignore)
    },
  }
}

async function end(target: winston.Logger): Promise<void> {
  const finished = once(target, 'finish')
  target.end()
  await finished
}

/** `oss20bd daemon | head` closes our stdout: no reason to end. */
function ignore(): void {}

function winstonLogger(
  { console: foreground, level }: LoggerOptions,
  file: RotatingFile,
  consoleLevel: string,
): winston.Logger {
  // Not `stdout.isTTY`: it is undefined on a pipe, which picocolors would take as "guess".
  const inColour = isatty(1) && (process.env['NO_COLOR'] ?? '') === ''
  return winston.createLogger({
    level,
    transports: [
      fileTransport(file),
      ...(foreground
        ? [
            new winston.transports.Console({
              level: consoleLevel,
              format: lineFormat((entry) => formatForPeople(entry, inColour)),
            }),
          ]
        : []),
    ],
  })
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
