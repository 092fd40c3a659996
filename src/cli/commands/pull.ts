/** `oss20bd pull`: downloads a model, checks every byte, and keeps it for use. */
import { readlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { Oss20bdError } from '../../errors.ts'
import { parseModelSource } from '../../model/model-source.ts'
import { formatBytes } from '../../units.ts'
import { type Context, defineCommand, print, say } from '../command.ts'
import { pointTo } from '../../point-to.ts'
import { createProgressLine } from '../progress.ts'
import {
  DEFAULT_CONNECTIONS,
  pullNamedModel,
  type PulledModel,
  type PullWish,
} from '../pull-model.ts'
import { pullJson, pullText } from '../render-pull.ts'
import { stoppable } from '../stoppable.ts'

export const command = defineCommand({
  options: {
    MODEL: {
      type: 'string',
      hidden: true,
      describe: 'gpt-oss-20b, OWNER/REPO, OWNER/REPO:FILE or an address',
    },
    name: { type: 'string', requiresArg: true, describe: 'How the file is called here' },
    sha256: { type: 'string', requiresArg: true, describe: 'The checksum that it must have' },
    connections: {
      type: 'number',
      requiresArg: true,
      default: DEFAULT_CONNECTIONS,
      describe: 'How many requests are open at once',
    },
  },
  async run(args, context) {
    const wish = {
      source: parseModelSource(args.MODEL ?? 'gpt-oss-20b'),
      name: args.name ?? null,
      sha256: checkSum(args.sha256),
      connections: checkConnections(args.connections),
    }
    const pulled = await pullWithProgress(context, wish)
    const inUse = await useIfNoneIs(join(context.paths.models, 'current'), pulled.file)
    tell(context, pulled, inUse)
    return 0
  },
})

function checkSum(text: string | undefined): string | null {
  if (text === undefined) return null
  if (/^[0-9a-f]{64}$/i.test(text)) return text.toLowerCase()
  throw new Oss20bdError('usage', 'Cannot use --sha256: it must be 64 hexadecimal digits', {
    hint: 'Copy it from the page of the file',
  })
}

function checkConnections(connections: number): number {
  if (Number.isInteger(connections) && connections >= 1 && connections <= 16) return connections
  throw new Oss20bdError('usage', 'Cannot use --connections: it must be a number from 1 to 16', {
    hint: `Leave it out for ${DEFAULT_CONNECTIONS}`,
  })
}

type Asked = Omit<PullWish, 'signal' | 'onProgress' | 'onTrouble'>

/** A bar for a person; for a program one line of JSON per report. */
async function pullWithProgress(context: Context, asked: Asked): Promise<PulledModel> {
  const progress = context.json
    ? null
    : createProgressLine({ title: 'Model', stream: context.stderr })
  const onProgress: PullWish['onProgress'] = (now) =>
    progress === null ? print(context, pullJson(now)) : progress.update(now.fraction, pullText(now))
  const onTrouble = (message: string): void =>
    progress === null
      ? print(context, JSON.stringify({ event: 'trouble', message }))
      : progress.update(null, message)
  try {
    const pulled = await stoppable(
      (signal) => pullNamedModel(context, { ...asked, signal, onProgress, onTrouble }),
      () => {
        progress?.fail('stopped')
        say(context, 'What came is kept: the same command goes on where it stopped')
      },
    )
    progress?.done(basename(pulled.file))
    return pulled
  } catch (error) {
    progress?.fail()
    throw error
  }
}

/** The first model is the one to use; a later one is chosen by the person. */
async function useIfNoneIs(link: string, file: string): Promise<boolean> {
  const target = await readlink(link).catch(() => null)
  if (target === basename(file) || target === file) return true
  if (target !== null) return false
  await pointTo(link, file, 'choose the model')
  return true
}

function tell(context: Context, pulled: PulledModel, inUse: boolean): void {
  const { kind, file, sizeBytes, sha256, checked } = pulled
  if (context.json) {
    print(context, JSON.stringify({ event: 'done', kind, file, sizeBytes, sha256, checked, inUse }))
    return
  }
  const what = kind === 'present' ? 'is there already' : 'is downloaded'
  print(context, `${basename(file)} ${what}: ${formatBytes(sizeBytes)}, ${CHECKED[checked]}`)
  print(context, `SHA-256 ${sha256}`)
  if (!inUse) say(context, `Use it with: oss20bd models use ${JSON.stringify(basename(file))}`)
}

const CHECKED = {
  published: 'its checksum is the published one',
  'first-use': 'nobody publishes a checksum of it; this one is noted for later checks',
}
