/** `oss20bd token`: adds, lists and revokes what lets apps in. Works on the files, with or without a daemon. */
import { join } from 'node:path'
import { Oss20bdError } from '../../errors.ts'
import { addToken, readTokens, revokeToken, TOKENS } from '../../token-files.ts'
import type { Context } from '../command.ts'
import { defineCommand, print, say } from '../command.ts'
import type { ExitStatus } from '../exit-status.ts'
import { localTime } from '../log-entry.ts'
import { type Column, renderTable } from '../table.ts'

export const command = defineCommand({
  options: {
    ACTION: { type: 'string', hidden: true, describe: 'add, list or revoke' },
    NAME: { type: 'string', hidden: true, describe: 'The app that uses it' },
  },
  async run(args, context) {
    const folder = join(context.paths.home, TOKENS)
    if (args.ACTION === 'add') return add(context, folder, nameFor('add', args.NAME))
    if (args.ACTION === 'revoke') return revoke(context, folder, nameFor('revoke', args.NAME))
    if (args.ACTION === 'list') return list(context, folder)
    const given = args.ACTION === undefined ? 'nothing' : JSON.stringify(args.ACTION)
    throw new Oss20bdError(
      'usage',
      `Cannot do this with a token: ${given} was given, it must be add, list or revoke`,
      { hint: EXAMPLES },
    )
  },
})

const EXAMPLES = 'oss20bd token add NAME, oss20bd token list, or oss20bd token revoke NAME'

function nameFor(action: string, name: string | undefined): string {
  if (name !== undefined) return name
  throw new Oss20bdError('usage', `Cannot ${action} a token: its name is missing`, {
    hint: `Name it after the app that uses it, for example: oss20bd token ${action} open-webui`,
  })
}

/** The token alone is the result, so that a script can take it. */
async function add(context: Context, folder: string, name: string): Promise<ExitStatus> {
  const isFirst = readTokens(folder).length === 0
  const token = await addToken(folder, name, Date.now())
  if (context.json) print(context, JSON.stringify({ name, token }, undefined, 2))
  else print(context, token)
  say(context, `Added: this token of ${name} is shown only now; give it to the app as its API key`)
  if (isFirst) {
    say(context, 'It is the first: from now on every request at the port needs a token')
  }
  return 0
}

async function revoke(context: Context, folder: string, name: string): Promise<ExitStatus> {
  await revokeToken(folder, name)
  const text = `Revoked: ${name}; within a second the port refuses it`
  print(context, context.json ? JSON.stringify({ name, revoked: true }, undefined, 2) : text)
  if (readTokens(folder).length === 0) say(context, `It was the last. ${NONE}`)
  return 0
}

function list(context: Context, folder: string): ExitStatus {
  const rows = readTokens(folder).map(({ name, createdAt }) => ({
    name,
    createdAt,
    // Only the daemon sees a token used, and it keeps no record of that.
    lastUsedAt: null,
  }))
  if (context.json) print(context, JSON.stringify(rows, undefined, 2))
  else if (rows.length === 0) say(context, NONE)
  else for (const line of renderTable(COLUMNS, rows, Infinity)) print(context, line)
  return 0
}

const NONE =
  'No tokens: every app on this machine may use the port. Add one with: oss20bd token add NAME'

const COLUMNS: readonly Column<{ readonly name: string; readonly createdAt: string }>[] = [
  { title: 'NAME', cell: ({ name }) => name, dropOrder: 0 },
  { title: 'CREATED', cell: ({ createdAt }) => dayOf(createdAt), dropOrder: 0 },
  { title: 'LAST USED', cell: () => 'unknown', dropOrder: 0 },
]

/** `2026-01-31 07:43`, in local time. */
function dayOf(at: string): string {
  return localTime(new Date(at)).slice(0, '2026-01-31 07:43'.length)
}
