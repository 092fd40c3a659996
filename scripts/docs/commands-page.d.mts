import type { Options } from 'yargs'

export interface DocumentedCommand {
  /** As yargs reads it: `models [ACTION] [NAME]`. */
  readonly name: string
  readonly summary: string
  readonly options: Readonly<Record<string, Options>>
}

export function commandsPage(commandLine: {
  readonly commands: readonly DocumentedCommand[]
  readonly everywhere: Readonly<Record<string, Options>>
  readonly exitStatuses: Readonly<Record<number, string>>
}): string
