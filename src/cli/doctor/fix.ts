/** Runs the mending commands that can do no harm, each after a yes. */
import { createInterface } from 'node:readline/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { Oss20bdError } from '../../errors.ts'
import type { Finding } from '../../finding.ts'
import type { Context } from '../command.ts'
import { say } from '../command.ts'

/** They change nothing that a second command does not bring back, and need no choice. */
const harmless = new Set(['start', 'restart', 'install', 'build', 'pull'])

/** The arguments of a mending command that may be run here; null for any other. Pure. */
export function fixOf({ mend }: Pick<Finding, 'mend'>): readonly string[] | null {
  const [program, verb = '', ...rest] = mend.split(' ')
  return program === 'oss20bd' && harmless.has(verb) && rest.length === 0 ? [verb] : null
}

/** Asks for each, in the order of the report. Throws `usage` without a terminal. Resolves with how many were mended. */
export async function fixAfterAsking(
  findings: readonly Finding[],
  context: Context,
): Promise<number> {
  const fixes = new Map(
    findings.flatMap(({ mend, what }) => (fixOf({ mend }) === null ? [] : [[mend, what]])),
  )
  if (fixes.size === 0) return 0
  if (!process.stdin.isTTY) {
    throw new Oss20bdError('usage', 'Cannot ask what to mend: this is no terminal', {
      hint: 'Run the commands that oss20bd doctor names',
    })
  }
  let mended = 0
  for (const [mend, what] of fixes) {
    if (!(await isWanted(`${what}. Run ${mend}? [y/N] `))) continue
    const { exitCode } = await execa(
      process.execPath,
      [join(context.root, 'bin', 'oss20bd'), ...(fixOf({ mend }) ?? [])],
      {
        stdio: 'inherit',
        reject: false,
      },
    )
    if (exitCode === 0) mended += 1
    else
      say(context, `${mend} ended with status ${exitCode ?? 'unknown'}; what it printed tells why`)
  }
  return mended
}

async function isWanted(question: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^y(?:es)?$/i.test((await lines.question(question)).trim())
  } finally {
    lines.close()
  }
}
