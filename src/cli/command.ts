/** What a command is: its options as data and what it does with them. Types and one identity function. */
import type { InferredOptionTypes, Options } from 'yargs'
import type { Paths } from '../config/paths.ts'
import type { ExitStatus } from './exit-status.ts'

/** The part of a stream that commands use. */
export interface Output {
  write(text: string): unknown
  readonly isTTY?: boolean
}

/** What every command is given: the global options and the doors to the outside. */
export interface Context {
  readonly json: boolean
  /** `--config FILE`, or null for the usual place. */
  readonly configFile: string | null
  /** `--set KEY=VALUE`, by key. */
  readonly flags: Readonly<Record<string, string>>
  readonly env: NodeJS.ProcessEnv
  readonly paths: Paths
  /** The package's own folder: bin/, dist/, scripts/. */
  readonly root: string
  /** Results. */
  readonly stdout: Output
  /** Messages and progress. */
  readonly stderr: Output
}

export interface Command {
  readonly options: Readonly<Record<string, Options>>
  run(args: Readonly<Record<string, unknown>>, context: Context): Promise<ExitStatus>
}

/** Lets the compiler derive the type of `args` from `options`. */
export function defineCommand<const O extends Record<string, Options>>(command: {
  readonly options: O
  run(args: InferredOptionTypes<O>, context: Context): Promise<ExitStatus>
}): Command {
  return {
    options: command.options,
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the parser filled them by these very options
    run: (args, context) => command.run(args as InferredOptionTypes<O>, context),
  }
}

/** Writes one line of a result. */
export function print(context: Context, line: string): void {
  context.stdout.write(`${line}\n`)
}

/** Writes one line for the person watching. */
export function say(context: Context, line: string): void {
  context.stderr.write(`${line}\n`)
}
