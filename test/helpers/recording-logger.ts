/** A Logger that keeps what was logged, for tests to look at. */
import type { LogFields, Logger } from '../../src/log.ts'

export interface LogRecord {
  readonly level: keyof Logger
  readonly message: string
  readonly fields: LogFields
}

export class RecordingLogger implements Logger {
  readonly records: LogRecord[] = []

  debug(message: string, fields: LogFields = {}): void {
    this.records.push({ level: 'debug', message, fields })
  }

  info(message: string, fields: LogFields = {}): void {
    this.records.push({ level: 'info', message, fields })
  }

  warn(message: string, fields: LogFields = {}): void {
    this.records.push({ level: 'warn', message, fields })
  }

  error(message: string, fields: LogFields = {}): void {
    this.records.push({ level: 'error', message, fields })
  }

  /** The messages of one level, or of all. */
  messages(level?: keyof Logger): string[] {
    return this.records
      .filter((record) => level === undefined || record.level === level)
      .map((record) => record.message)
  }

  /** Everything as one text, to look for what must not be logged. */
  text(): string {
    return this.records
      .map((record) => `${record.level} ${record.message} ${JSON.stringify(record.fields)}`)
      .join('\n')
  }
}
