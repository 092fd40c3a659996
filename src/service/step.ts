/** One step of a plan: what is carried out, and what is printed of it. Types only. */
import type { CommandResult } from './run-command.ts'

export type Step =
  /** Folders that exist keep their mode and owner. */
  | MakeFolder
  /** In one move: nobody ever reads half of it, and a link at that place is replaced, not followed. */
  | WriteFile
  /** What the daemon needs of the package at `from`, with its libraries. One that is there already is whole. */
  | {
      readonly kind: 'copy-program'
      readonly from: string
      readonly to: string
      readonly owner: Owner
    }
  /** With all that is in it. */
  | { readonly kind: 'remove-folder'; readonly path: string }
  /** Also when it is not there. */
  | { readonly kind: 'remove-file'; readonly path: string }
  /** Only when nothing is left in it. */
  | { readonly kind: 'remove-empty-folder'; readonly path: string }
  | RunStep
  | WaitStep
  /** A daemon that runs gives its port away: what is asked is held until the next one is up, or until `limitMs` are over. */
  | { readonly kind: 'hand-over'; readonly limitMs: number }
  /** A daemon that `oss20bd start` made is asked to end, and waited for: the service's own needs its place. */
  | { readonly kind: 'end-background'; readonly pid: number; readonly limitMs: number }
  /** The other way round, when the service could not take its place. */
  | { readonly kind: 'start-background' }
  /** Until the daemon answers on its control socket. */
  | { readonly kind: 'await-daemon'; readonly limitMs: number }

/** The user id that a file is given to; null leaves it with whoever carries out. */
export type Owner = number | null

export interface MakeFolder {
  readonly kind: 'make-folder'
  readonly path: string
  readonly mode: number
  readonly owner: Owner
}

export interface WriteFile {
  readonly kind: 'write-file'
  readonly path: string
  readonly text: string
  readonly mode: number
  readonly owner: Owner
}

/** Runs a program; an exit code outside `accepted` is a failure. */
export interface RunStep {
  readonly kind: 'run'
  readonly command: readonly string[]
  /** Why, for the person who reads the dry run. */
  readonly why: string
  readonly accepted: readonly number[]
  /** Exit codes that may pass: it is run again, with growing pauses, until `limitMs` are over. */
  readonly retry: { readonly codes: readonly number[]; readonly limitMs: number } | null
  readonly explain: Explain
}

/** Runs a program again and again until what it answers is so. */
export interface WaitStep {
  readonly kind: 'wait'
  readonly command: readonly string[]
  /** What is waited for: `the old one is gone`. */
  readonly until: string
  readonly isSo: (result: CommandResult) => boolean
  readonly limitMs: number
  readonly explain: Explain
}

/** The last answer of a program to why the step failed. Pure. */
type Explain = (result: CommandResult) => Failure

/** `message` is a reason ("the service is disabled"), `hint` what to do. */
export interface Failure {
  readonly message: string
  readonly hint: string
}
