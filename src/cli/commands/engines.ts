/** `oss20bd engines`: lists the engines on this machine, chooses one, removes one. */
import { Oss20bdError } from '../../errors.ts'
import { currentEngine, putInUse, serverOf } from '../../engine-trial.ts'
import { type Context, defineCommand, print, say } from '../command.ts'
import { checkEngine } from '../engines/check-engine.ts'
import { renderEngines } from '../engines/render-engines.ts'
import { assertChoosable, findEngine, listEngines, removeEngine } from '../engines/shelf.ts'
import { serverInUse } from '../engines/swap-engine.ts'
import type { ExitStatus } from '../exit-status.ts'
import { withProgress } from '../progress.ts'
import { readSettled } from '../settings.ts'

export const command = defineCommand({
  options: {
    ACTION: { type: 'string', hidden: true, describe: 'list, use or remove' },
    NAME: { type: 'string', hidden: true, describe: 'The engine, or a llama-server' },
  },
  async run({ ACTION: action = 'list', NAME: name }, context) {
    if (action === 'list') return list(context)
    if (action === 'use') return use(context, nameFor('use', name))
    if (action === 'remove') return remove(context, nameFor('remove', name))
    throw new Oss20bdError(
      'usage',
      `Cannot do this with engines: ${JSON.stringify(action)} was given, it must be list, use or remove`,
      { hint: 'oss20bd engines, oss20bd engines use NAME, or oss20bd engines remove NAME' },
    )
  },
})

function nameFor(action: string, name: string | undefined): string {
  if (name !== undefined) return name
  throw new Oss20bdError('usage', `Cannot ${action} an engine: its name is missing`, {
    hint: 'oss20bd engines shows the names',
  })
}

async function list(context: Context): Promise<ExitStatus> {
  const { config } = await readSettled(context)
  const engines = await listEngines(context)
  if (context.json) print(context, JSON.stringify(engines, undefined, 2))
  else if (engines.length === 0) say(context, 'No engines. Build one with: oss20bd build')
  else {
    const width = context.stdout.isTTY === true ? (process.stdout.columns ?? 80) : Infinity
    for (const line of renderEngines(engines, width)) print(context, line)
    if (engines.some(({ inUse }) => inUse)) say(context, '* is in use')
    if (engines.some(({ before }) => before)) say(context, '< comes back with: oss20bd rollback')
  }
  const own = config.engine.path
  if (own !== null) say(context, `None of them is used: the setting engine.path names ${own}`)
  return 0
}

async function use(context: Context, named: string): Promise<ExitStatus> {
  const { config } = await readSettled(context)
  const { engines } = context.paths
  assertChoosable(config, 'choose an engine')
  const name = await findEngine(context, named)
  if (name !== (await currentEngine(engines))) {
    const title = `Checking ${name}`
    await withProgress({ title, stream: context.stderr }, async (progress) => ({
      result: await checkEngine(serverOf(engines, name), await serverInUse(engines), progress),
    }))
    const begunAt = new Date().toISOString()
    await putInUse(engines, name, { begunAt, earlierTokensPerSecond: null })
  }
  const told = { engine: name, file: serverOf(engines, name) }
  print(context, context.json ? JSON.stringify(told, undefined, 2) : `In use: ${name}`)
  say(context, 'A running engine is used until: oss20bd restart')
  return 0
}

async function remove(context: Context, name: string): Promise<ExitStatus> {
  await removeEngine(context, name)
  const told = { engine: name, removed: true }
  print(context, context.json ? JSON.stringify(told, undefined, 2) : `Removed: ${name}`)
  return 0
}
