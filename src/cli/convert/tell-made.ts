/** Says what was made, and how it is used. */
import { formatBytes } from '../../units.ts'
import { modelFacts } from '../../model/model-facts.ts'
import { readModelHeader } from '../../model/model-file.ts'
import { type Context, print, say } from '../command.ts'

export async function tellMade(context: Context, file: string, type: string): Promise<void> {
  const read = await readModelHeader(file)
  const sizeBytes = read.kind === 'ok' ? read.sizeBytes : null
  const bitsPerWeight = read.kind === 'ok' ? modelFacts(read.header).bitsPerWeight : null
  if (context.json) {
    print(context, JSON.stringify({ file, type, sizeBytes, bitsPerWeight }))
    return
  }
  const size = sizeBytes === null ? '' : `: ${formatBytes(sizeBytes)}`
  const bits = bitsPerWeight === null ? '' : `, ${bitsPerWeight.toFixed(1)} bits per weight`
  print(context, `${file}${size}, ${type}${bits}`)
  say(context, `Use it with: oss20bd models use ${JSON.stringify(file)}`)
}
