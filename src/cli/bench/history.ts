/** Earlier runs of `oss20bd bench`, and whether it has become slower since. Pure. */
import { z } from 'zod'
import type { BenchFigures } from './figures.ts'

/** What differs less than this, differs between two runs of the same. */
const TOLERATED_SHARE = 0.1

const number = z.number()
const numberOrNull = z.number().nullable()
const textOrNull = z.string().nullable()

const depthSchema = z.object({
  askedTokens: number,
  depthTokens: number,
  promptPerSecond: numberOrNull,
  generatedPerSecond: numberOrNull,
  firstToken: z.object({
    coldMs: number,
    warmMs: number,
    directColdMs: number,
    directWarmMs: number,
  }),
  directPromptPerSecond: numberOrNull,
  directGeneratedPerSecond: numberOrNull,
})

const runSchema: z.ZodType<BenchFigures> = z.object({
  at: z.string(),
  machine: z.object({ chip: textOrNull, cores: numberOrNull, memoryBytes: number }),
  model: z.object({ name: z.string(), sizeBytes: number, testModel: z.boolean() }),
  contextTokens: numberOrNull,
  slots: numberOrNull,
  engineVersion: textOrNull,
  oss20bdVersion: z.string(),
  rounds: number,
  generateTokens: number,
  depths: z.array(depthSchema),
  parallel: z.array(
    z.object({ requests: number, generatedPerSecond: number, slowestFirstTokenMs: number }),
  ),
  memory: z.object({
    peakFootprintBytes: numberOrNull,
    leastAvailableBytes: numberOrNull,
    looks: number,
  }),
})

/** One run per line, the oldest first. A line that is no run (cut by a full disk, of another version) is left out. */
export function readHistory(text: string): readonly BenchFigures[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .flatMap((line) => {
      const run = runSchema.safeParse(parsed(line))
      return run.success ? [run.data] : []
    })
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

/** The last run of the same model, context and slots on the same machine. */
export function lastAlike(
  history: readonly BenchFigures[],
  now: BenchFigures,
): BenchFigures | null {
  return history.findLast((run) => sameThing(run) === sameThing(now)) ?? null
}

function sameThing({ machine, model, contextTokens, slots }: BenchFigures): string {
  return JSON.stringify([
    machine.chip,
    machine.cores,
    machine.memoryBytes,
    model.sizeBytes,
    contextTokens,
    slots,
  ])
}

export interface Change {
  /** `generation behind 2048 tokens`. */
  readonly what: string
  readonly beforePerSecond: number
  readonly nowPerSecond: number
  /** -0.2 is a fifth slower. */
  readonly share: number
}

export interface Comparison {
  readonly at: string
  readonly engineVersion: string | null
  readonly oss20bdVersion: string
  readonly changes: readonly Change[]
  /** The changes that are no chance. */
  readonly slower: readonly Change[]
}

export function compare(before: BenchFigures, now: BenchFigures): Comparison {
  const earlier = new Map(speedsOf(before))
  const changes = speedsOf(now).flatMap(([what, nowPerSecond]) => {
    const beforePerSecond = earlier.get(what) ?? null
    if (nowPerSecond === null || beforePerSecond === null) return []
    return [{ what, beforePerSecond, nowPerSecond, share: nowPerSecond / beforePerSecond - 1 }]
  })
  const { at, engineVersion, oss20bdVersion } = before
  const slower = changes.filter(({ share }) => share < -TOLERATED_SHARE)
  return { at, engineVersion, oss20bdVersion, changes, slower }
}

function speedsOf(run: BenchFigures): readonly [string, number | null][] {
  const { depths, parallel, generateTokens } = run
  const ofDepths = depths.flatMap((depth): [string, number | null][] => [
    [`reading ${depth.askedTokens} tokens`, depth.promptPerSecond],
    [`generation behind ${depth.askedTokens} tokens`, depth.generatedPerSecond],
  ])
  // How long an answer is decides how much of its time is spent on its prompt.
  const ofParallel = parallel.map(({ requests, generatedPerSecond }): [string, number] => [
    `${requests} at once, ${generateTokens} tokens each`,
    generatedPerSecond,
  ])
  return [...ofDepths, ...ofParallel]
}
