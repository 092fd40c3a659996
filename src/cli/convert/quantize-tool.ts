/** Asks and runs the llama-quantize that was built with the engine. */
import { join } from 'node:path'
import { Oss20bdError } from '../../errors.ts'
import { assertExecutable } from '../../llama/engine-info.ts'
import { QUANTIZE_BUFFER_BYTES } from '../../model/convert/sizes.ts'
import { runLongTool, toolEnvironment, type ToolEnd } from './long-tool.ts'
import { parseTypes } from './weight-type.ts'

export interface QuantizeTool {
  readonly file: string
  readonly types: readonly string[]
  /** It can be told how much memory to take. */
  readonly bounded: boolean
}

/** What the tool finds out without writing anything. */
export interface DryRun {
  /** All tensors together; null when it does not say. */
  readonly tensorBytes: number | null
  /** Types that are rounded already and would be rounded once more, as the tool spells them. */
  readonly requantized: readonly string[]
  /** It cannot be done well without knowing which weights matter. */
  readonly needsImportance: boolean
}

export interface QuantizeJob {
  readonly input: string
  readonly output: string
  readonly type: string
  /** Round once more what is rounded already. */
  readonly requantize: boolean
}

/** Throws `engine-missing` when the engine has none. */
export async function findQuantizeTool(
  engineFolder: string,
  signal: AbortSignal,
): Promise<QuantizeTool> {
  const file = join(engineFolder, 'bin', 'llama-quantize')
  await assertExecutable(file).catch((error: unknown) => {
    throw new Oss20bdError('engine-missing', `Cannot quantize: there is no ${file}`, {
      hint: 'Run oss20bd build: it compiles llama-quantize beside llama-server',
      cause: error,
    })
  })
  const lines: string[] = []
  // Its help ends with status 1.
  await run(file, ['--help'], signal, (line) => lines.push(line))
  const help = lines.join('\n')
  return { file, types: parseTypes(help), bounded: help.includes('--max-buffer-size') }
}

/** Reads the header alone. Throws `model-unusable` with what the tool says of the model. */
export async function dryRun(
  tool: QuantizeTool,
  { input, type }: Pick<QuantizeJob, 'input' | 'type'>,
  signal: AbortSignal,
): Promise<DryRun> {
  const lines: string[] = []
  const end = await run(tool.file, ['--dry-run', input, type], signal, (line) => lines.push(line))
  if (end.kind === 'failed') throw quantizeError(input, end)
  return parseDryRun(lines)
}

/** Pure. */
export function parseDryRun(lines: readonly string[]): DryRun {
  const changed = lines.flatMap((line) => {
    const from = /type = +(\w+), size = .* -> .* MiB \(\w+\)$/.exec(line.trimEnd())?.[1]
    return from === undefined || WIDE.has(from) ? [] : [from]
  })
  const mib = lines.map((line) => / quant size += +([\d.]+) MiB/.exec(line)?.[1]).find(Boolean)
  return {
    tensorBytes: mib === undefined ? null : Math.ceil((Number(mib) + ROUNDED_MIB) * 2 ** 20),
    requantized: [...new Set(changed)],
    needsImportance: lines.some((line) => line.includes('will require an imatrix')),
  }
}

/** Not rounded yet. */
const WIDE: ReadonlySet<string> = new Set(['f32', 'f16', 'bf16'])
/** The size is told with two digits behind the point. */
const ROUNDED_MIB = 0.01

/** Throws `model-unusable` or `disk-full` with the tool's own reason. */
export async function quantize(
  tool: QuantizeTool,
  job: QuantizeJob,
  onProgress: (fraction: number, tensor: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const args = [
    ...(tool.bounded ? ['--max-buffer-size', String(QUANTIZE_BUFFER_BYTES / 2 ** 20)] : []),
    ...(job.requantize ? ['--allow-requantize'] : []),
    job.input,
    job.output,
    job.type,
  ]
  const end = await run(tool.file, args, signal, (line) => {
    const step = parseStep(line)
    if (step !== null) onProgress(step.fraction, step.tensor)
  })
  if (end.kind === 'failed') throw quantizeError(job.input, end)
}

/** `[  15/  41] blk.0.ffn_down_exps.weight  - [...`, a line that ends when the tensor is done. Pure. */
export function parseStep(
  line: string,
): { readonly fraction: number; readonly tensor: string } | null {
  const [, index, count, tensor] = /^\[ *(\d+)\/ *(\d+)\] +(\S+)/.exec(line) ?? []
  if (index === undefined || count === undefined || tensor === undefined) return null
  return { fraction: Number(index) / Number(count), tensor }
}

/** Its last reason, without the name of the function that gives it. */
function quantizeError(input: string, end: ToolEnd & { readonly kind: 'failed' }): Oss20bdError {
  const said = end.lastLines
    .map((line) => /failed to quantize: (.+)$/.exec(line)?.[1])
    .findLast((reason) => reason !== undefined)
  const reason = said ?? end.lastLines.at(-1)?.trim() ?? end.how
  if (/iostream|No space left/.test(reason)) {
    return new Oss20bdError('disk-full', `Cannot quantize ${input}: it could not be written`, {
      hint: 'Free some space on the disk of the new file, then run the same command again',
    })
  }
  return new Oss20bdError('model-unusable', `Cannot quantize ${input}: llama-quantize: ${reason}`, {
    hint: `Look at the model with: oss20bd inspect ${JSON.stringify(input)}`,
  })
}

function run(
  file: string,
  args: readonly string[],
  signal: AbortSignal,
  onLine: (line: string) => void,
): Promise<ToolEnd> {
  const env = toolEnvironment(process.env, null)
  return runLongTool({ file, args, env, signal, onLine, isHeavy: true })
}
