/** Runs one command and turns any error into one line, a hint and an exit status. */
import { errnoOf, messageOf, Oss20bdError } from '../errors.ts'
import type { ExitStatus } from './exit-status.ts'
import { exitStatusOf } from './exit-status.ts'
import { createContext } from './context.ts'
import { readPlainPlan } from './plain-plan.ts'

/** Runs the command line (without node and script) and sets the exit status; never rejects. */
export async function main(argv: readonly string[]): Promise<void> {
  leaveQuietlyWhenNobodyReads()
  try {
    process.exitCode = await dispatch(argv)
  } catch (error) {
    process.stderr.write(errorText(error, process.env['OSS20BD_DEBUG'] !== undefined))
    process.exitCode = exitStatusOf(error)
  }
}

/** An error as the lines a person reads: what and why, then what to do. */
export function errorText(error: unknown, debug: boolean): string {
  const stack = debug && error instanceof Error ? `${error.stack}\n` : ''
  if (error instanceof Oss20bdError) {
    const hint = error.hint === undefined ? '' : `  ${error.hint}\n`
    return `oss20bd: ${error.message}\n${hint}${stack}`
  }
  return `oss20bd: Internal error: ${messageOf(error)}\n  This is a bug in oss20bd. With OSS20BD_DEBUG=1 it shows where\n${stack}`
}

async function dispatch(argv: readonly string[]): Promise<ExitStatus> {
  // Loading yargs takes as long as starting Node. Scripts and prompts ask for the status all the time,
  // and these two forms need no parser.
  const [verb, option, ...rest] = argv
  if (verb === 'status' && rest.length === 0 && (option === undefined || option === '--json')) {
    const { command } = await import('./commands/status.ts')
    const json = option !== undefined
    return command.run({ watch: false }, createContext({ json, configFile: null, flags: {} }))
  }
  if (verb === 'plan') {
    const plain = readPlainPlan(argv.slice(1))
    if (plain !== null) {
      const { command } = await import('./commands/plan.ts')
      return command.run(
        plain.args,
        createContext({ json: plain.json, configFile: null, flags: {} }),
      )
    }
  }
  const { runCommandLine } = await import('./parser.ts')
  return runCommandLine(argv)
}

/** `oss20bd logs | head` closes our stdout early: that is no error. */
function leaveQuietlyWhenNobodyReads(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error) => {
      if (errnoOf(error) !== 'EPIPE') throw error
      // oxlint-disable-next-line unicorn/no-process-exit -- nothing that runs on has a reader
      process.exit()
    })
  }
}
