/** The command line as yargs reads it: commands, global options, help. The only file that loads yargs. */
import yargs from 'yargs'
import type { Argv, Options } from 'yargs'
import { messageOf, Oss20bdError } from '../errors.ts'
import type { Command } from './command.ts'
import type { CommandEntry } from './commands.ts'
import { COMMANDS } from './commands.ts'
import { createContext, ownVersion } from './context.ts'
import { EXIT_STATUSES, type ExitStatus } from './exit-status.ts'

const EPILOGUE = `First steps
  npm start                  in the source folder: does everything, then asks a first question
  oss20bd status             is it up, and which model is loaded
  oss20bd logs -f            watch what happens
  oss20bd COMMAND --help     the options of one command

Apps use it like OpenAI: base URL http://127.0.0.1:8020/v1, any API key, model gpt-oss-20b.

Exit status: ${exitStatuses()}.
Tab completion: oss20bd completion >> ~/.zshrc (or ~/.bashrc). More: README.md and docs/`

const EVERYWHERE = 'For every command:'

export const GLOBAL_OPTIONS = {
  json: {
    type: 'boolean',
    default: false,
    describe: 'Results as JSON on stdout',
    group: EVERYWHERE,
  },
  config: { type: 'string', requiresArg: true, describe: 'Another config file', group: EVERYWHERE },
  set: {
    type: 'string',
    array: true,
    nargs: 1,
    describe: 'Override one setting, KEY=VALUE; repeatable',
    group: EVERYWHERE,
  },
} satisfies Record<string, Options>

export const COMPLETION = {
  name: 'completion',
  summary: 'Print the tab completion script for zsh or bash',
}

/** Parses and runs one command. Throws `usage` for anything that is not understood. */
export async function runCommandLine(argv: readonly string[]): Promise<ExitStatus> {
  let status: ExitStatus = 0
  const done = (result: ExitStatus): void => {
    status = result
  }
  const parser = COMMANDS.reduce((built, entry) => addCommand(built, entry, done), base(argv))
  try {
    await parser
      // Last, so that the help lists it last.
      .completion(COMPLETION.name, COMPLETION.summary)
      .parseAsync()
  } catch (error) {
    throw isOurs(error) ? error : usageError(messageOf(error), argv)
  }
  return status
}

function exitStatuses(): string {
  return Object.entries(EXIT_STATUSES)
    .map(([status, meaning]) => `${status} ${meaning}`)
    .join(', ')
}

function base(argv: readonly string[]): Argv {
  return (
    yargs([...argv])
      .scriptName('oss20bd')
      .usage('$0 COMMAND [OPTIONS]\n\nKeeps gpt-oss-20b running on this machine, behind one port.')
      .locale('en')
      .parserConfiguration({ 'boolean-negation': true, 'duplicate-arguments-array': true })
      .options(GLOBAL_OPTIONS)
      .version(ownVersion())
      .help()
      .alias('help', 'h')
      .group(['help', 'version'], EVERYWHERE)
      .epilogue(EPILOGUE)
      .wrap(Math.min(100, process.stdout.columns ?? 100))
      .strict()
      .demandCommand(1, 'Say what to do, for example: oss20bd status')
      .recommendCommands()
      // Errors come to us: one place words them and one place chooses the exit status.
      .exitProcess(false)
      .fail((found, error) => {
        throw isOurs(error) ? error : usageError(found ?? messageOf(error), argv)
      })
  )
}

function addCommand(
  parser: Argv,
  { name, summary, load }: CommandEntry,
  done: (status: ExitStatus) => void,
): Argv {
  let command: Command | undefined
  return parser.command(
    name,
    summary,
    async (own) => {
      command = (await load()).command
      return own.usage(`$0 ${name} [OPTIONS]\n\n${summary}`).options(command.options).epilogue('')
    },
    async (args) => {
      const { json, config, set } = args as Record<string, unknown>
      refuseTwice(args, command?.options ?? {})
      const context = createContext({
        json: json === true,
        configFile: typeof config === 'string' ? config : null,
        flags: readSettings(Array.isArray(set) ? set.map(String) : []),
      })
      if (command !== undefined) done(await command.run(args, context))
    },
  )
}

/** yargs makes a list of an option that is given twice, where one value is expected. */
function refuseTwice(args: Readonly<Record<string, unknown>>, own: Command['options']): void {
  const once = Object.keys(own).filter((name) => own[name]?.array !== true)
  const twice = ['json', 'config', ...once].find((name) => Array.isArray(args[name]))
  if (twice === undefined) return
  throw new Oss20bdError('usage', `Cannot use --${twice} twice: it takes one value`, {
    hint: 'Leave one of them out',
  })
}

/** `KEY=VALUE` texts to an object; the last of a key wins. Throws `usage`. Pure. */
export function readSettings(texts: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf('=')
      if (at > 0) return [text.slice(0, at).trim(), text.slice(at + 1)]
      throw new Oss20bdError('usage', `Cannot use --set ${text}: it must be KEY=VALUE`, {
        hint: 'For example: --set proxy.port=8021. All keys: oss20bd config',
      })
    }),
  )
}

/** Anything but what yargs itself found wrong: a command that failed. */
function isOurs(error: unknown): error is Error {
  return error instanceof Error && error.name !== 'YError'
}

/** Words what yargs found wrong. Its message for a near miss names only the right command. */
function usageError(found: string, argv: readonly string[]): Oss20bdError {
  const typed = argv.find((word) => !word.startsWith('-')) ?? ''
  const meant = /^Did you mean (\S+)\?$/.exec(found)?.[1]
  if (meant !== undefined) {
    return new Oss20bdError('usage', `Cannot run "${typed}": there is no such command`, {
      hint: `Did you mean: oss20bd ${meant}`,
    })
  }
  const known = COMMANDS.some((entry) => entry.name.split(' ')[0] === typed)
  return new Oss20bdError('usage', `Cannot read the command line: ${found.trim()}`, {
    hint: `See: oss20bd ${known ? `${typed} ` : ''}--help`,
  })
}
