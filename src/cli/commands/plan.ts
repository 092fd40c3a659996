/** `oss20bd plan`: what the engine would take with each context, and what fits into this machine or another one. */
import { join, resolve } from 'node:path'
import type { Config } from '../../config/config.ts'
import { llamaOptions } from '../../daemon/engine-settings.ts'
import { type PlanOptions, planFor } from '../../daemon/memory-plan.ts'
import { type AskedMachine, ownMemoryBytes, readPlanFacts } from '../../daemon/plan-facts.ts'
import { Oss20bdError } from '../../errors.ts'
import { parseBytes } from '../../units.ts'
import { type Context, defineCommand, print } from '../command.ts'
import { paintFor } from '../paint.ts'
import { renderPlan, type ShownPlan } from '../render-memory-plan.ts'
import { readSettled } from '../settings.ts'

export const command = defineCommand({
  options: {
    memory: { type: 'string', describe: 'Plan for a machine with so much memory, like 24GiB' },
    gpu: {
      type: 'string',
      describe: 'Plan for a Mac whose GPU may hold so much, like 16GiB; none for no GPU',
    },
    model: { type: 'string', describe: 'Plan for this GGUF file' },
    context: { type: 'number', describe: 'Ask for this context, in tokens, for one conversation' },
  },
  async run(args, context) {
    const { config } = await readSettled(context)
    const asked: AskedMachine = {
      memoryBytes: sizeOf('memory', args.memory),
      gpuBytes: args.gpu === 'none' ? 0 : sizeOf('gpu', args.gpu),
    }
    const options = optionsOf(context, config, args.model, args.context)
    const facts = await readPlanFacts({
      modelFile: options.modelPath,
      engineFile: options.file,
      config,
      physicalBytes: ownMemoryBytes(),
      platform: process.platform,
      asked,
    })
    const plan = planFor(facts, options)
    if (plan.kind === 'unknown') {
      const hint = 'Run oss20bd up to get a model, or name one with --model FILE'
      throw new Oss20bdError('model-unusable', plan.reason, { hint })
    }
    const { modelPath, contextTokens, slots, extraArgs } = options
    const { engine, budget, gpu } = facts
    const asksFor = { modelFile: modelPath, contextTokens, slots, extraArgs }
    await show(context, { ...asksFor, engine, budget, gpu, plan })
    return plan.chosen.fit.kind === 'fits' ? 0 : 1
  },
})

function optionsOf(
  { paths }: Context,
  config: Config,
  modelFile: string | undefined,
  asked: number | undefined,
): PlanOptions {
  const engineFile = config.engine.path ?? join(paths.engines, 'current', 'bin', 'llama-server')
  const ownModel = config.model.path ?? join(paths.models, 'current')
  const files = { engineFile, modelFile: modelFile === undefined ? ownModel : resolve(modelFile) }
  const contextTokens = asked === undefined ? config.model.contextTokens : checkContext(asked)
  // A number stands in until the plan has found what `auto` comes to.
  return { ...llamaOptions(config, paths, { ...files, contextTokens: 0 }), contextTokens }
}

function checkContext(tokens: number): number {
  if (Number.isInteger(tokens) && tokens >= 512 && tokens <= 131_072) return tokens
  throw new Oss20bdError(
    'usage',
    `Cannot use --context ${tokens}: it must be a whole number from 512 to 131072`,
    { hint: 'For example: --context 65536' },
  )
}

function sizeOf(option: string, text: string | undefined): number | null {
  if (text === undefined) return null
  const bytes = parseBytes(text)
  if (bytes !== null && bytes > 0) return bytes
  throw new Oss20bdError('usage', `Cannot use --${option} ${text}: it must be a size with a unit`, {
    hint: `For example: --${option} 24GiB`,
  })
}

async function show(context: Context, shown: ShownPlan): Promise<void> {
  if (context.json) {
    const { plan, ...asksFor } = shown
    print(context, JSON.stringify({ ...asksFor, ...plan }, undefined, 2))
    return
  }
  const paint = await paintFor(context.stdout, context.env)
  // A file or a pipe has no edge.
  const width = context.stdout.isTTY === true ? (process.stdout.columns ?? 80) : Infinity
  for (const line of renderPlan(shown, paint, width)) print(context, line)
}
