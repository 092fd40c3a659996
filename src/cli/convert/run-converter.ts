/** Runs upstream's converter and tells how far it is. */
import { join } from 'node:path'
import { Oss20bdError } from '../../errors.ts'
import type { Converter } from './converter-source.ts'
import { runLongTool, toolEnvironment, type ToolEnd } from './long-tool.ts'

export interface ConverterJob {
  /** Of the private environment. */
  readonly python: string
  readonly converter: Converter
  readonly input: string
  readonly output: string
  /** `q8_0`, or `auto` for the 16 bits that the weights have. */
  readonly outtype: string
}

/** Throws `model-unusable` or `disk-full` with the converter's own reason. */
export async function runConverter(
  job: ConverterJob,
  env: NodeJS.ProcessEnv,
  onProgress: (fraction: number | null, note: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const { python, converter, input, output, outtype } = job
  const end = await runLongTool({
    file: python,
    args: ['-s', converter.script, input, '--outfile', output, '--outtype', outtype],
    env: toolEnvironment(env, null, {
      // All that it needs is in the folder: it must not ask the hub, and not tell it either.
      HF_HUB_OFFLINE: '1',
      TRANSFORMERS_OFFLINE: '1',
      HF_HUB_DISABLE_TELEMETRY: '1',
      HF_HOME: join(converter.folder, '.hub'),
      PYTHONUNBUFFERED: '1',
      PYTHONUTF8: '1',
    }),
    signal,
    isHeavy: true,
    onLine: (line) => {
      const step = parseConverterLine(line)
      if (step !== null) onProgress(step.fraction, step.note)
    },
  })
  if (end.kind === 'failed') throw converterError(input, end)
}

/** What a line tells; it looks at each tensor first, which is quick, and reads them while it writes. Pure. */
export function parseConverterLine(
  line: string,
): { readonly fraction: number | null; readonly note: string } | null {
  const percent = /^Writing: +(\d+)%/.exec(line)?.[1]
  if (percent !== undefined) return { fraction: Number(percent) / 100, note: 'writing' }
  const tensor = /^INFO:hf-to-gguf:(\S+), +\S+ --> /.exec(line)?.[1]
  if (tensor !== undefined) return { fraction: null, note: tensor }
  return null
}

type Failed = ToolEnd & { readonly kind: 'failed' }

function converterError(input: string, end: Failed): Oss20bdError {
  const reason = reasonOf(end)
  if (/No space left on device/.test(reason)) {
    return new Oss20bdError('disk-full', `Cannot convert ${input}: the disk is full`, {
      hint: 'Free some space, then run the same command again',
    })
  }
  if (/MemoryError|SIGKILL|can't allocate/.test(reason)) {
    return new Oss20bdError('model-unusable', `Cannot convert ${input}: the memory ran out`, {
      hint: 'Close other apps, then run the same command again',
    })
  }
  return new Oss20bdError(
    'model-unusable',
    `Cannot convert ${input}: the converter gave up: ${reason}`,
    {
      hint: 'Get it as GGUF, which most models are published in as well: oss20bd pull OWNER/REPO-GGUF',
    },
  )
}

/** The exception that ended it, else its last error, else its end. Pure. */
export function reasonOf({ how, lastLines }: Failed): string {
  const raised = lastLines.findLast((line) => /^[\w.]*(?:Error|Exception)\b/.test(line))
  const logged = lastLines.findLast((line) => line.startsWith('ERROR:'))
  return raised ?? logged?.replace(/^ERROR:[\w.-]+:/, '') ?? how
}
