/** `oss20bd verify`: whether a model file is whole and unchanged. */
import { realpath } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { Oss20bdError } from '../../errors.ts'
import { systemClock } from '../../clock.ts'
import { knownModel } from '../../model/catalog.ts'
import { RateMeter } from '../../model/download/rate-meter.ts'
import { hashFile } from '../../model/file-hash.ts'
import { readModelHeader } from '../../model/model-file.ts'
import { type Origin, readOrigin, writeOrigin } from '../../model/origin.ts'
import { judgeSum, type SumVerdict } from '../../model/judge-sum.ts'
import { type Context, defineCommand, print } from '../command.ts'
import { findModel, usedModel } from '../model-shelf.ts'
import { createProgressLine } from '../progress.ts'
import { pullText } from '../render-pull.ts'
import { readSettled } from '../settings.ts'

export const command = defineCommand({
  options: {
    FILE: {
      type: 'string',
      hidden: true,
      describe: 'The file or model; the one in use unless given',
    },
    sha256: { type: 'string', requiresArg: true, describe: 'The checksum that it must have' },
  },
  async run(args, context) {
    const file = await fileOf(context, args.FILE)
    const read = await readModelHeader(file)
    if (read.kind !== 'ok') {
      throw new Oss20bdError('model-unusable', read.message, { hint: read.hint })
    }
    const origin = await readOrigin(file)
    const sha256 = await hashWithProgress(context, file, read.sizeBytes)
    const wanted = args.sha256?.toLowerCase() ?? null
    const model = knownModel(sha256)?.name ?? null
    const verdict = judgeSum({ sha256, wanted, known: model, origin })
    if (verdict.kind === 'unknown') await noteFirst(context, file, read.sizeBytes, sha256)
    const tensors = read.header.tensors.length
    tell(context, { file, sizeBytes: read.sizeBytes, tensors, sha256, model, origin, verdict })
    return verdict.kind === 'changed' ? 1 : 0
  },
})

async function fileOf(context: Context, named: string | undefined): Promise<string> {
  if (named !== undefined) return realpath(await findModel(context, named))
  const { config } = await readSettled(context)
  const used = await usedModel(context, config)
  if (used !== null) return used
  throw new Oss20bdError('usage', 'Cannot verify: no model is in use, and no file was named', {
    hint: 'oss20bd verify FILE, or oss20bd pull to get a model',
  })
}

async function hashWithProgress(
  context: Context,
  file: string,
  totalBytes: number,
): Promise<string> {
  const title = 'Checking'
  const progress = context.json ? null : createProgressLine({ title, stream: context.stderr })
  const rate = new RateMeter()
  try {
    const signal = new AbortController().signal
    const sha256 = await hashFile(
      file,
      totalBytes,
      (bytes) => {
        const bytesPerSecond = rate.rate(systemClock.monotonicMs(), bytes)
        const fraction = bytes / totalBytes
        const now = { phase: 'checking', fraction, bytes, totalBytes, bytesPerSecond } as const
        progress?.update(fraction, pullText(now))
      },
      signal,
    )
    progress?.done(basename(file))
    return sha256
  } catch (error) {
    progress?.fail()
    throw error
  }
}

/** What nobody publishes a sum of is held against itself from now on: in our own folder only. */
async function noteFirst(
  { paths }: Context,
  file: string,
  sizeBytes: number,
  sha256: string,
): Promise<void> {
  if (dirname(file) !== (await realpath(paths.models).catch(() => null))) return
  const at = new Date(systemClock.nowMs()).toISOString()
  await writeOrigin(file, { source: null, sizeBytes, sha256, checked: 'first-use', at })
}

interface Told {
  readonly file: string
  readonly sizeBytes: number
  readonly tensors: number
  readonly sha256: string
  readonly model: string | null
  readonly origin: Origin | null
  readonly verdict: SumVerdict
}

function tell(context: Context, told: Told): void {
  if (context.json) return print(context, JSON.stringify(told, undefined, 2))
  print(context, `${told.file}: all ${told.tensors} tensors lie within the file`)
  print(context, `SHA-256 ${told.sha256}: ${told.verdict.text}`)
  if (told.verdict.hint !== null) print(context, `  ${told.verdict.hint}`)
}
