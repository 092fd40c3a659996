/** `oss20bd upgrade`: another llama-server, checked before it is used and given up by itself when it fails. */
import { basename } from 'node:path'
import { currentEngine, serverOf } from '../../engine-trial.ts'
import { Oss20bdError } from '../../errors.ts'
import { buildEngine } from '../build-engine.ts'
import { type Context, defineCommand, print, say } from '../command.ts'
import { checkEngine } from '../engines/check-engine.ts'
import { assertChoosable, findEngine } from '../engines/shelf.ts'
import { serverInUse, swapEngine, type Swapped } from '../engines/swap-engine.ts'
import { withProgress } from '../progress.ts'
import { readSettled } from '../settings.ts'

interface Wish {
  readonly ref?: string | undefined
  readonly source?: string | undefined
  readonly to?: string | undefined
  readonly jobs?: number | undefined
}

export const command = defineCommand({
  options: {
    REF: { type: 'string', hidden: true, describe: 'A tag, branch or commit of llama.cpp' },
    source: { type: 'string', requiresArg: true, describe: 'From a llama.cpp source folder' },
    to: {
      type: 'string',
      requiresArg: true,
      conflicts: 'source',
      describe: 'To an engine that is there: a name, or the path of a llama-server',
    },
    jobs: { type: 'number', alias: 'j', requiresArg: true, describe: 'Compile N files at once' },
  },
  async run({ REF: ref, source, to, jobs }, context) {
    assertOneWish({ ref, source, to })
    assertChoosable((await readSettled(context)).config, 'upgrade the engine')
    const name = await getEngine(context, { ref, source, to, jobs })
    const earlier = await currentEngine(context.paths.engines)
    if (name === earlier) {
      print(
        context,
        context.json ? JSON.stringify({ engine: name, changed: false }) : `In use already: ${name}`,
      )
      return 0
    }
    report(context, { name, earlier, swapped: await change(context, name) })
    return 0
  },
})

function assertOneWish({ ref, source, to }: Wish): void {
  if (ref === undefined || (source === undefined && to === undefined)) return
  throw new Oss20bdError(
    'usage',
    'Cannot upgrade: REF was given with --source or --to, it must be one of them',
    {
      hint: 'For example: oss20bd upgrade v0.6.0',
    },
  )
}

/** The name of the engine to go to, beside the one in use. */
async function getEngine(context: Context, { ref, source, to, jobs }: Wish): Promise<string> {
  if (to !== undefined) return findEngine(context, to)
  const title = 'Building llama-server'
  const built = await withProgress({ title, stream: context.stderr }, async (progress) => {
    const result = await buildEngine(context, { git: ref, source, jobs, beside: true }, progress)
    return { result, note: result.note }
  })
  return basename(built.folder)
}

async function change(context: Context, name: string): Promise<Swapped> {
  const { stderr, paths } = context
  const file = serverOf(paths.engines, name)
  await withProgress({ title: `Checking ${name}`, stream: stderr }, async (progress) => {
    const result = await checkEngine(file, await serverInUse(paths.engines), progress)
    const gpu = result.devices.length === 0 ? 'on the CPU' : `on ${result.devices.join(', ')}`
    return { result, note: `llama-server ${result.version}, ${gpu}, answers with the test model` }
  })
  return withProgress({ title: `Changing to ${name}`, stream: stderr }, async (progress) => ({
    result: await swapEngine(context, name, progress),
  }))
}

interface Upgraded {
  readonly name: string
  readonly earlier: string | null
  readonly swapped: Swapped
}

function report(context: Context, { name, earlier, swapped }: Upgraded): void {
  const running = swapped.kind === 'running'
  if (context.json) {
    return print(context, JSON.stringify({ engine: name, earlier, changed: true, running }))
  }
  print(
    context,
    running ? `In use, and answering: ${name}` : `In use from the next start on: ${name}`,
  )
  if (earlier === null) return
  say(context, `When it fails in its first 10 minutes, ${earlier} comes back by itself`)
  say(context, 'By hand: oss20bd rollback')
}
