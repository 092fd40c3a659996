/** `oss20bd quantize`: makes a smaller model of a 16-bit one with llama-quantize. */
import { basename } from 'node:path'
import { Oss20bdError } from '../../errors.ts'
import { type Context, defineCommand } from '../command.ts'
import { engineFolder } from '../convert/engine-folder.ts'
import { readGgufSource } from '../convert/gguf-source.ts'
import { chooseOutFile, type OutFile, OUTPUT, writeWhole } from '../convert/out-file.ts'
import { judgeQuantize, quantizeNeed, typeFor } from '../convert/quantize-plan.ts'
import { dryRun, findQuantizeTool, quantize } from '../convert/quantize-tool.ts'
import { assertRoom, needText, readRoom } from '../convert/room.ts'
import { tellMade } from '../convert/tell-made.ts'
import { chooseType } from '../convert/weight-type.ts'
import { say } from '../command.ts'
import { findModel } from '../model-shelf.ts'
import { withProgress } from '../progress.ts'
import { stoppable } from '../stoppable.ts'

export const command = defineCommand({
  options: {
    IN: {
      type: 'string',
      hidden: true,
      describe: 'The model: a GGUF file, or a name on the shelf',
    },
    OUT: { type: 'string', hidden: true, describe: 'The file to make' },
    TYPE: { type: 'string', hidden: true, describe: 'q4, q8, or a type of llama.cpp: Q5_K_M' },
    force: { type: 'boolean', default: false, describe: 'Replace OUT when it is there' },
    requantize: {
      type: 'boolean',
      default: false,
      describe: 'Also round what is rounded already, which loses much',
    },
  },
  async run({ IN: input, OUT: output, TYPE: type, force, requantize }, context) {
    if (input === undefined || output === undefined || type === undefined) throw missing()
    const file = await findModel(context, input)
    const out = await chooseOutFile(output, force)
    await stoppable(
      (signal) => quantizeFile(context, { file, out, type, requantize }, signal),
      () => say(context, 'Stopped: nothing was written'),
    )
    return 0
  },
})

interface Wish {
  readonly file: string
  readonly out: OutFile
  readonly type: string
  readonly requantize: boolean
}

async function quantizeFile(context: Context, wish: Wish, signal: AbortSignal): Promise<void> {
  const { out, requantize } = wish
  const tool = await findQuantizeTool(await engineFolder(context), signal)
  const asked = chooseType(wish.type, tool.types)
  const source = await readGgufSource(wish.file)
  const type = typeFor(source, asked, requantize)
  const found = await dryRun(tool, { input: source.file, type }, signal)
  judgeQuantize(source, type, found, requantize)
  const need = quantizeNeed(source, found, tool)
  const room = await readRoom(context, out.folder)
  assertRoom(`quantize ${source.file}`, need, room)
  say(context, needText(need, room))
  const title = `Quantizing to ${type}`
  await withProgress({ title, stream: context.stderr }, async (progress) => {
    await writeWhole(out, (temporary) => {
      const job = { input: source.file, output: temporary(OUTPUT), type, requantize }
      return quantize(tool, job, (fraction, note) => progress.update(fraction, note), signal)
    })
    return { result: undefined, note: basename(out.file) }
  })
  await tellMade(context, out.file, type)
}

function missing(): Oss20bdError {
  return new Oss20bdError('usage', 'Cannot quantize: IN, OUT and TYPE must be given', {
    hint: 'For example: oss20bd quantize model-F16.gguf model-Q4.gguf q4',
  })
}
