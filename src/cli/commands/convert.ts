/** `oss20bd convert`: makes a GGUF of a Hugging Face folder with the converter of the engine's own sources. */
import { join, resolve } from 'node:path'
import { Oss20bdError } from '../../errors.ts'
import { readHfFolder } from '../../model/convert/hf-folder.ts'
import { defineCommand, say } from '../command.ts'
import { convertFolder } from '../convert/convert-folder.ts'
import { SIXTEEN_BIT } from '../convert/convert-plan.ts'
import { engineFolder } from '../convert/engine-folder.ts'
import { chooseOutFile } from '../convert/out-file.ts'
import { findQuantizeTool } from '../convert/quantize-tool.ts'
import { tellMade } from '../convert/tell-made.ts'
import { chooseType } from '../convert/weight-type.ts'
import { stoppable } from '../stoppable.ts'

export const command = defineCommand({
  options: {
    HF_DIR: { type: 'string', hidden: true, describe: 'The folder with config.json and weights' },
    OUT: { type: 'string', hidden: true, describe: 'The file to make' },
    type: {
      type: 'string',
      requiresArg: true,
      default: 'q8',
      describe: 'q8, q4, 16bit (as it is), or a type of llama.cpp: Q5_K_M',
    },
    force: { type: 'boolean', default: false, describe: 'Replace OUT when it is there' },
    'trust-code': {
      type: 'boolean',
      default: false,
      describe: 'Let the Python code that the folder brings run',
    },
  },
  async run({ HF_DIR: named, OUT: output, type: written, force, 'trust-code': trust }, context) {
    if (named === undefined || output === undefined) throw missing()
    const out = await chooseOutFile(output, force)
    const folder = await readHfFolder(resolve(named))
    if (folder.hasOwnCode && !trust) throw ownCode(folder.path)
    const engine = await engineFolder(context)
    const type = await stoppable(
      async (signal) => {
        const tool = await findQuantizeTool(engine, signal)
        const wanted = isSixteen(written) ? SIXTEEN_BIT : chooseType(written, tool.types)
        const places = {
          folder: join(context.paths.cache, 'convert'),
          sources: join(context.paths.cache, 'sources'),
        }
        return convertFolder(context, { folder, out, type: wanted, tool, engine, places }, signal)
      },
      () => say(context, 'Stopped: nothing was written'),
    )
    await tellMade(context, out.file, type)
    return 0
  },
})

function isSixteen(written: string): boolean {
  return /^(?:16-?bit|auto)$/i.test(written)
}

function missing(): Oss20bdError {
  return new Oss20bdError('usage', 'Cannot convert: HF_DIR and OUT must be given', {
    hint: 'For example: oss20bd convert ./my-model my-model.gguf --type q4',
  })
}

function ownCode(path: string): Oss20bdError {
  return new Oss20bdError(
    'usage',
    `Cannot convert ${path}: it brings Python code of its own, which the converter would run as you`,
    { hint: 'Read that code; when you trust it: --trust-code' },
  )
}
