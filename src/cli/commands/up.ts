/** `oss20bd up`: what `npm start` runs. Does what is missing, then proves that the port answers. */
import { ensureFolders } from '../../config/ensure-folders.ts'
import type { Status } from '../../daemon/control-protocol.ts'
import type { Context } from '../command.ts'
import { defineCommand, print, say } from '../command.ts'
import { ownVersion } from '../context.ts'
import { askFirstQuestion, FIRST_QUESTION } from '../first-question.ts'
import { withProgress } from '../progress.ts'
import type { Progress } from '../progress.ts'
import { otherVersion, renderFirstAnswer } from '../render-first-answer.ts'
import { awaitEngine, wantEngine } from '../run-engine.ts'
import { readInstalledService } from '../service-line.ts'
import { readSettled } from '../settings.ts'
import type { UpEngine } from '../up-engine.ts'
import { prepareEngine } from '../up-engine.ts'
import type { ModelWish, UpModel } from '../up-model.ts'
import { prepareModel } from '../up-model.ts'

const STEPS = 4

export const command = defineCommand({
  options: {
    'test-model': {
      type: 'boolean',
      describe:
        'Use the small built-in test model; --no-test-model insists on the real one. Neither: keep what is there',
    },
  },
  async run(args, context) {
    const { config } = await readSettled(context)
    await ensureFolders(context.paths)
    const engine = await step(context, 1, 'Engine', async (progress) => {
      const result = await prepareEngine(context, config, progress)
      return { result, note: result.note }
    })
    const wish = wishOf(args['test-model'])
    const model = await step(context, 2, 'Model', async (progress) => {
      const result = await prepareModel(context, config, engine.serverFile, wish, progress)
      return { result, note: result.note }
    })
    const status = await step(context, 3, 'Start', (progress) =>
      startWith(context, engine, model, progress),
    )
    const answer = await step(context, 4, 'First question', async () => ({
      result: await askFirstQuestion(status.proxy.url, status.model.name),
    }))
    tell(context, status, answer, model.reason)
    await tellVersion(context, status.daemon.version)
    return 0
  },
})

/** Ready with this engine and this model; an engine that runs with others is restarted. */
async function startWith(
  context: Context,
  engine: UpEngine,
  model: UpModel,
  progress: Progress,
): Promise<{ readonly result: Status }> {
  const wanted = await wantEngine(context, (running) => {
    const other = running.engine.path !== engine.serverFile || running.model.path !== model.file
    return running.engine.state !== 'down' && (other || model.rewritten)
  })
  return { result: await awaitEngine(context, wanted, progress) }
}

function tell(context: Context, status: Status, answer: string, reason: string | null): void {
  const { name, testModel } = status.model
  const told = { url: status.proxy.url, model: name, testModel, reason, answer }
  if (context.json) return print(context, JSON.stringify({ ...told, question: FIRST_QUESTION }))
  for (const line of renderFirstAnswer({ ...told, byNpm: isByNpm(context) })) print(context, line)
}

async function tellVersion(context: Context, daemon: string): Promise<void> {
  const isService = (await readInstalledService(context)) !== null
  const other = otherVersion({ daemon, own: ownVersion(), isService, byNpm: isByNpm(context) })
  if (other !== null) say(context, other)
}

function isByNpm({ env }: Context): boolean {
  return env['npm_lifecycle_event'] !== undefined
}

function step<T>(
  context: Context,
  number: number,
  title: string,
  work: (progress: Progress) => Promise<{ readonly result: T; readonly note?: string }>,
): Promise<T> {
  return withProgress({ step: number, steps: STEPS, title, stream: context.stderr }, work)
}

function wishOf(testModel: boolean | undefined): ModelWish {
  if (testModel === undefined) return 'any'
  return testModel ? 'test' : 'real'
}
