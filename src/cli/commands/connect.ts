/** `oss20bd connect`: prints, or with `--write` writes, what an app needs to use the port. */
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, readFile, realpath, rename, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { createPatch } from 'diff'
import { errnoOf, fileError, Oss20bdError } from '../../errors.ts'
import type { Context } from '../command.ts'
import { defineCommand, print, say } from '../command.ts'
import { APPS } from '../connect/apps.ts'
import type { App, Connection } from '../connect/connection.ts'
import { alsoAtNote, KEY_PLACE, readPortFacts } from '../connect/port-facts.ts'
import type { ExitStatus } from '../exit-status.ts'

type FileConnection = Extract<Connection, { kind: 'file' }>

export const command = defineCommand({
  options: {
    APP: { type: 'string', hidden: true, describe: 'Which app' },
    write: {
      type: 'boolean',
      default: false,
      describe: "Change the app's config file, after showing what changes",
    },
  },
  async run(args, context) {
    if (args.APP === undefined) return list(context)
    const app = findApp(args.APP)
    const port = await readPortFacts(context)
    const connection = app.connect(port)
    if (port.needsToken) say(context, tokenNote(app))
    if (port.alsoAt.length > 0) say(context, alsoAtNote(port))
    if (connection.kind === 'file') return showOrWrite(context, app, connection, args.write)
    if (args.write) throw nothingToWrite(app)
    if (context.json) print(context, JSON.stringify({ app: app.id, lines: connection.lines }))
    else for (const line of connection.lines) print(context, line)
    return 0
  },
})

async function list(context: Context): Promise<ExitStatus> {
  if (context.json) print(context, JSON.stringify(APPS.map(({ id, title }) => ({ id, title }))))
  else {
    for (const { id, title } of APPS) print(context, `${id.padEnd(16)}${title}`)
    say(context, 'Show one with: oss20bd connect APP. In a shell: eval "$(oss20bd connect env)"')
    say(context, alsoAtNote(await readPortFacts(context)))
  }
  return 0
}

function findApp(typed: string): App {
  const found = APPS.find(({ id }) => id === typed.toLowerCase())
  if (found !== undefined) return found
  throw new Oss20bdError('usage', `Cannot connect "${typed}": it is not known`, {
    hint: `Known are ${APPS.map(({ id }) => id).join(', ')}; any other app of the OpenAI API takes: oss20bd connect env`,
  })
}

function tokenNote({ id }: App): string {
  return `The port needs a token: make one with "oss20bd token add ${id}" and put it where ${KEY_PLACE} stands`
}

function nothingToWrite({ id, title }: App): Oss20bdError {
  return new Oss20bdError('usage', `Cannot write for ${title}: it has no config file for this`, {
    hint: `Do what this prints: oss20bd connect ${id}`,
  })
}

async function showOrWrite(
  context: Context,
  app: App,
  connection: FileConnection,
  isWriting: boolean,
): Promise<ExitStatus> {
  const file = join(context.env['HOME'] ?? homedir(), connection.path)
  const before = await readIfThere(file)
  const after = connection.edit(before)
  const isSame = before === after
  if (isWriting && !isSame) await replace(file, after)
  const outcome = isSame ? 'unchanged' : isWriting ? 'written' : 'shown'
  if (context.json) {
    print(context, JSON.stringify({ app: app.id, file, outcome, text: after }))
    return 0
  }
  if (isSame) print(context, `${file} is right already`)
  else print(context, createPatch(file, before ?? '', after, '', '', { context: 2 }).trimEnd())
  if (outcome === 'written') say(context, `Written: ${file}`)
  if (outcome === 'shown')
    say(context, `Nothing is changed yet. To write it: oss20bd connect ${app.id} --write`)
  for (const line of connection.afterwards) say(context, line)
  return 0
}

async function readIfThere(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null
    throw fileError('read the config', file, error)
  }
}

/** Whole or not at all, with the mode it had: it may hold keys of others. */
async function replace(named: string, text: string): Promise<void> {
  try {
    await mkdir(dirname(named), { recursive: true })
    // Many keep their config elsewhere, behind a link: the link stays.
    const file = await realpath(named).catch(() => named)
    const mode = await stat(file).then(
      (found) => found.mode & 0o777,
      () => 0o600,
    )
    const draft = `${file}.${randomBytes(4).toString('hex')}.tmp`
    await writeFile(draft, text, { mode })
    await chmod(draft, mode)
    await rename(draft, file)
  } catch (error) {
    throw fileError('write the config', named, error)
  }
}
