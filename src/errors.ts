/** The failures we expect: one class, one code each, a hint for the person. */

/**
 * What went wrong, as a stable word. `exit-status.ts` turns it into an exit status;
 * anything that is not an `Oss20bdError` is a bug in oss20bd.
 */
export type ErrorCode =
  | 'usage'
  | 'config-invalid'
  | 'daemon-not-running'
  | 'already-running'
  | 'state-folder'
  | 'port-taken'
  | 'unsafe-bind'
  | 'tool-missing'
  | 'build-failed'
  | 'model-unusable'
  | 'download-failed'
  | 'engine-missing'
  | 'engine-failed'
  | 'service-failed'
  | 'disk-full'
  | 'timeout'

/**
 * A failure that stops the work. `message` says what and why ("Cannot start X: reason"),
 * `hint` says what to do next. Neither ends with a full stop.
 */
export class Oss20bdError extends Error {
  readonly code: ErrorCode
  readonly hint: string | undefined

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.name = 'Oss20bdError'
    this.code = code
    this.hint = options.hint
  }
}

/** The errno name of a system error (`ENOENT`), or `undefined` for anything else. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Turns a file system error into one clear line about `path`; `action` is "read the config". */
export function fileError(action: string, path: string, error: unknown): Oss20bdError {
  const errno = errnoOf(error)
  if (errno === 'ENOSPC' || errno === 'EDQUOT') {
    return new Oss20bdError('disk-full', `Cannot ${action}: no space left on the disk of ${path}`, {
      hint: 'Free some space, then run the same command again',
      cause: error,
    })
  }
  if (errno === 'EACCES' || errno === 'EPERM' || errno === 'EROFS') {
    return new Oss20bdError('state-folder', `Cannot ${action}: no permission for ${path}`, {
      hint: `Make it yours (ls -ld ${JSON.stringify(path)} shows its owner), or set OSS20BD_HOME to a folder of your own`,
      cause: error,
    })
  }
  return new Oss20bdError('state-folder', `Cannot ${action}: ${messageOf(error)}`, {
    hint: `Check ${path}`,
    cause: error,
  })
}
