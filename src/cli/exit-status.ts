/** An error to the exit status that scripts rely on. Pure. */
import { Oss20bdError } from '../errors.ts'
import type { ErrorCode } from '../errors.ts'

/** What each status means; the help and the documentation print it. */
export const EXIT_STATUSES = {
  0: 'done',
  1: 'failed',
  2: 'wrong usage or config',
  3: 'daemon not running',
  4: 'not ready (status only)',
} as const

export type ExitStatus = keyof typeof EXIT_STATUSES

const STATUS_OF_CODE: Readonly<Record<ErrorCode, ExitStatus>> = {
  usage: 2,
  'config-invalid': 2,
  'unsafe-bind': 2,
  'daemon-not-running': 3,
  'already-running': 1,
  'state-folder': 1,
  'port-taken': 1,
  'tool-missing': 1,
  'build-failed': 1,
  'model-unusable': 1,
  'download-failed': 1,
  'engine-missing': 1,
  'engine-failed': 1,
  'service-failed': 1,
  'disk-full': 1,
  timeout: 1,
}

/** The exit status of anything that was thrown; a bug counts as failed. */
export function exitStatusOf(error: unknown): ExitStatus {
  return error instanceof Oss20bdError ? STATUS_OF_CODE[error.code] : 1
}

/** Reads a code that came over a wire; one this version does not know is `engine-failed`. */
export function errorCodeOf(text: string): ErrorCode {
  return isErrorCode(text) ? text : 'engine-failed'
}

function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(STATUS_OF_CODE, text)
}
