/** Carries a conversion out: converter and Python when they are missing, then one or two steps to the file. */
import { basename } from 'node:path'
import { Oss20bdError } from '../../errors.ts'
import type { HfFolder } from '../../model/convert/hf-folder.ts'
import { type Context, say } from '../command.ts'
import { withProgress } from '../progress.ts'
import { convertNeed, planConversion } from './convert-plan.ts'
import {
  type Converter,
  knownArchitectures,
  type Places,
  takeConverter,
} from './converter-source.ts'
import { readBuiltFrom } from './engine-folder.ts'
import { type OutFile, OUTPUT, writeWhole } from './out-file.ts'
import { findPython } from './python.ts'
import { environmentBytes, findEnvironment, makeEnvironment } from './python-environment.ts'
import { quantize, type QuantizeTool } from './quantize-tool.ts'
import { assertRoom, needText, readRoom } from './room.ts'
import { runConverter } from './run-converter.ts'

export interface Conversion {
  readonly folder: HfFolder
  readonly out: OutFile
  /** One of llama-quantize's types, or SIXTEEN_BIT. */
  readonly type: string
  readonly tool: QuantizeTool
  readonly engine: string
  readonly places: Places
}

/** Resolves to the type of what was made. */
export async function convertFolder(
  context: Context,
  conversion: Conversion,
  signal: AbortSignal,
): Promise<string> {
  const { folder, out, tool } = conversion
  const plan = planConversion(folder, conversion.type)
  const need = convertNeed(folder, plan)
  const room = await readRoom(context, out.folder)
  assertRoom(`convert ${folder.path}`, need, room)
  say(context, needText(need, room))
  if (plan.remark !== null) say(context, plan.remark)
  const { converter, python } = await prepare(context, conversion, signal)
  await writeWhole(out, async (temporary) => {
    const whole = temporary(OUTPUT)
    const converted = plan.quantizeTo === null ? whole : temporary('16bit')
    const { outtype } = plan
    const job = { python, converter, input: folder.path, output: converted, outtype }
    await step(context, `Converting ${basename(folder.path)}`, (onProgress) =>
      runConverter(job, context.env, onProgress, signal),
    )
    if (plan.quantizeTo === null) return
    const type = plan.quantizeTo
    const next = { input: converted, output: whole, type, requantize: false }
    await step(context, `Quantizing to ${type}`, (onProgress) =>
      quantize(tool, next, onProgress, signal),
    )
  })
  return plan.type
}

interface Prepared {
  readonly converter: Converter
  readonly python: string
}

async function prepare(
  context: Context,
  { folder, engine, places }: Conversion,
  signal: AbortSignal,
): Promise<Prepared> {
  const python = await findPython(context.env)
  const from = await readBuiltFrom(engine)
  const converter = await takeConverter(places, from, context.env, signal)
  await assertKnown(folder, converter)
  const place = { folder: places.folder, python, requirements: converter.requirements }
  const environment = await findEnvironment(place)
  if (!environment.isReady) {
    const need = { diskBytes: environmentBytes(process.platform), memoryBytes: 0 }
    const room = await readRoom(context, places.folder)
    assertRoom('set up the converter', need, room)
    await step(context, 'Setting up Python for the converter, once', (onProgress) =>
      makeEnvironment(environment, place, {
        env: context.env,
        signal,
        onNote: (note) => onProgress(null, note),
      }),
    )
  }
  return { converter, python: environment.file }
}

/** Asked before gigabytes are downloaded for it. */
async function assertKnown({ path, architecture }: HfFolder, converter: Converter): Promise<void> {
  const known = await knownArchitectures(converter)
  if (known === null || architecture === null || known.has(architecture)) return
  throw new Oss20bdError(
    'model-unusable',
    `Cannot convert ${path}: the converter of this llama.cpp does not know ${architecture}`,
    { hint: 'A newer llama.cpp may know it: oss20bd build --git master' },
  )
}

function step(
  context: Context,
  title: string,
  work: (onProgress: (fraction: number | null, note: string) => void) => Promise<void>,
): Promise<void> {
  return withProgress({ title, stream: context.stderr }, async (progress) => {
    await work((fraction, note) => progress.update(fraction, note))
    return { result: undefined }
  })
}
