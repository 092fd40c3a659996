/** One way to recognise an exit by a line, and the words that several of them share. Pure. */
import type { ExitCause } from '../engine.ts'

/** What the words of a reason need to know. */
export interface ExitContext {
  readonly file: string
  readonly modelPath: string
  readonly socketPath: string
}

export interface ExitMatcher {
  readonly cause: ExitCause
  readonly permanent: boolean
  readonly pattern: RegExp
  /** `part` is the first group of the pattern, or the empty text. */
  readonly message: (part: string, context: ExitContext) => string
  readonly hint: string
}

export const rebuildHint = 'Run oss20bd build'
export const logsHint = 'Run oss20bd logs --engine for its last lines'
export const reinstallHint =
  'Run oss20bd build, or set engine.path in the config to an installed llama-server'

type Words = ExitMatcher['message']

/** `%` in `what` stands for the part. A function in place of text: a part may hold `$&`. */
export const cannotLoad =
  (what: string): Words =>
  (part, context) =>
    `Cannot load the model ${context.modelPath}: ${what.replace('%', () => part)}`

export const cannotStart =
  (what: string): Words =>
  (part, context) =>
    `Cannot start llama-server: ${what.replace('%', () => part).replace('SOCKET', () => context.socketPath)}`
