/** The Logger interface that the parts accept; winston is not here. */

export type LogFields = Record<string, string | number | boolean | null | undefined>

/** A constant message and its facts as fields. Never pass secrets, prompts or answers. */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}
