/** Runs one program of the operating system to its end. */
import { execa } from 'execa'

export interface CommandResult {
  /** null when it could not be started or a signal ended it. */
  readonly exitCode: number | null
  readonly stdout: string
  /** What it complained of; for a program that could not be started, why. */
  readonly stderr: string
}

/** None of these takes longer on a healthy machine; one that hangs must not hang us. */
const TIMEOUT_MS = 60_000

/** Never rejects. The texts are in English whatever the person speaks. */
export async function runCommand(command: readonly string[]): Promise<CommandResult> {
  const [file = '', ...args] = command
  const { exitCode, stdout, stderr, shortMessage, failed } = await execa(file, args, {
    reject: false,
    stdin: 'ignore',
    timeout: TIMEOUT_MS,
    env: { LC_ALL: 'C' },
  })
  const why = failed && exitCode === undefined ? (shortMessage ?? '') : stderr
  return { exitCode: exitCode ?? null, stdout, stderr: why }
}
