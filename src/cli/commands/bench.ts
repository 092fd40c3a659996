/** `oss20bd bench`: how fast the model is here, beside what the machine and others promise, and what it was before. */
import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { fileError, Oss20bdError } from '../../errors.ts'
import { historyFile } from '../bench/history-file.ts'
import type { BenchPlan } from '../bench/measure.ts'
import { plotBench } from '../bench/plot.ts'
import { renderBench, type ShownBench } from '../bench/render-bench.ts'
import { runBench } from '../bench/run-bench.ts'
import { cancellable } from '../chat/cancellable.ts'
import { type Context, defineCommand, print, say } from '../command.ts'
import { paintFor } from '../paint.ts'
import { readSettled } from '../settings.ts'

/** The lengths that others publish, as far as they take minutes and not hours. */
const THOROUGH: BenchPlan = {
  depths: [512, 2048, 8192, 16_384],
  parallel: [1, 2, 4],
  rounds: 3,
  generateTokens: 128,
}
const QUICK: BenchPlan = { depths: [512, 2048], parallel: [1, 2], rounds: 1, generateTokens: 64 }

const MOST_AT_ONCE = 64
const MOST_TOKENS = 131_072

export const command = defineCommand({
  options: {
    quick: { type: 'boolean', default: false, describe: 'One round of short prompts' },
    depth: {
      type: 'number',
      array: true,
      describe: 'Measure with a prompt of so many tokens; repeatable',
    },
    parallel: {
      type: 'number',
      array: true,
      describe: 'Measure with so many requests at once; repeatable',
    },
    rounds: { type: 'number', describe: 'How often each is measured; the median counts' },
    generate: { type: 'number', describe: 'How many tokens each answer has' },
    svg: { type: 'string', requiresArg: true, describe: 'Write a plot into this file' },
  },
  async run(args, context) {
    const usual = args.quick ? QUICK : THOROUGH
    const plan: BenchPlan = {
      depths: wholeNumbers('depth', args.depth, MOST_TOKENS) ?? usual.depths,
      parallel: wholeNumbers('parallel', args.parallel, MOST_AT_ONCE) ?? usual.parallel,
      rounds: wholeNumber('rounds', args.rounds, 100) ?? usual.rounds,
      generateTokens: wholeNumber('generate', args.generate, MOST_TOKENS) ?? usual.generateTokens,
    }
    const { config } = await readSettled(context)
    say(context, 'Measuring: requests of other apps wait their turn meanwhile, and are slower')
    const result = await cancellable((signal) =>
      runBench(context, config, {
        plan,
        signal,
        onStep: (step) => say(context, step),
        onNote: (note) => say(context, note),
      }),
    )
    if (result.kind === 'cancelled') return dieOfInterrupt()
    await show(context, result.value)
    if (args.svg !== undefined) await writePlot(context, resolve(args.svg), result.value)
    return 0
  },
})

async function show(context: Context, shown: ShownBench): Promise<void> {
  if (context.json) {
    const { figures, expected, comparison } = shown
    print(context, JSON.stringify({ ...figures, expected, comparison }, undefined, 2))
    return
  }
  const paint = await paintFor(context.stdout, context.env)
  // A file or a pipe has no edge.
  const width = context.stdout.isTTY === true ? (process.stdout.columns ?? 80) : Infinity
  for (const line of renderBench(shown, paint, width)) print(context, line)
  print(context, paint.dim(`All runs: ${historyFile(context.paths)}`))
}

async function writePlot(context: Context, file: string, shown: ShownBench): Promise<void> {
  try {
    await writeFile(file, plotBench(shown))
  } catch (error) {
    throw fileError('write the plot', file, error)
  }
  say(context, `Plot: ${file}`)
}

function wholeNumbers(
  option: string,
  given: readonly number[] | undefined,
  most: number,
): readonly number[] | null {
  if (given === undefined || given.length === 0) return null
  const checked = given.flatMap((value) => wholeNumber(option, value, most) ?? [])
  return [...new Set(checked)].toSorted((one, other) => one - other)
}

function wholeNumber(option: string, given: number | undefined, most: number): number | null {
  if (given === undefined) return null
  if (Number.isInteger(given) && given >= 1 && given <= most) return given
  throw new Oss20bdError(
    'usage',
    `Cannot use --${option} ${given}: it must be a whole number from 1 to ${most}`,
    { hint: 'For example: oss20bd bench --depth 2048 --parallel 2 --rounds 3 --generate 128' },
  )
}

/** As a program does that knows nothing of Ctrl-C: a loop in a shell then ends with it. */
function dieOfInterrupt(): never {
  process.kill(process.pid, 'SIGINT')
  throw new Oss20bdError('engine-failed', 'Cancelled', { hint: 'Nothing was kept of this run' })
}
