/** Asks as the plan says, one request after the other or several at once, and takes the medians. */
import type { DepthFigures, ParallelFigures } from './figures.ts'
import { distinctPrompt, median, wordsFor } from './prompts.ts'
import { type Door, type TimedAnswer, timedRequest } from './timed-request.ts'

export interface BenchPlan {
  readonly depths: readonly number[]
  readonly parallel: readonly number[]
  readonly rounds: number
  readonly generateTokens: number
}

export interface Bench {
  readonly plan: BenchPlan
  readonly model: string
  readonly port: Door
  readonly engine: Door
  readonly signal: AbortSignal
  /** 0 to 1: two of its prompts share no beginning. */
  readonly random: () => number
  /** Told before each step, in words. */
  readonly onStep: (step: string) => void
}

/** Of the prompts that are sent at once; their answers are what is measured. */
const PARALLEL_PROMPT_TOKENS = 128
const WARM_UP_WORDS = 256

/** How many words make how many tokens for this model. */
export interface Scale {
  readonly words: number
  readonly tokens: number
}

/** Loads the model if need be, makes its pages warm, and counts. */
export async function warmUp({ port, model, signal, random, onStep }: Bench): Promise<Scale> {
  onStep('Warming up')
  const prompt = distinctPrompt(WARM_UP_WORDS, random)
  const { readTokens } = await timedRequest(port, { model, prompt, generateTokens: 16 }, signal)
  return { words: WARM_UP_WORDS, tokens: readTokens }
}

interface Round {
  readonly cold: TimedAnswer
  readonly warm: TimedAnswer
  readonly directCold: TimedAnswer
  readonly directWarm: TimedAnswer
}

export async function measureDepth(
  bench: Bench,
  scale: Scale,
  askedTokens: number,
): Promise<DepthFigures> {
  const rounds: Round[] = []
  for (let round = 1; round <= bench.plan.rounds; round += 1) {
    bench.onStep(`Prompts of ${askedTokens} tokens: round ${round} of ${bench.plan.rounds}`)
    rounds.push(await measureRound(bench, wordsFor(askedTokens, scale)))
  }
  const of = (look: (round: Round) => number | null): number | null => median(rounds.map(look))
  const ms = (look: (round: Round) => TimedAnswer): number =>
    of((round) => look(round).firstTokenMs) ?? 0
  return {
    askedTokens,
    depthTokens: of(({ cold }) => cold.readTokens + cold.cachedTokens) ?? askedTokens,
    promptPerSecond: of(({ cold }) => cold.promptPerSecond),
    generatedPerSecond: of(({ cold }) => cold.generatedPerSecond),
    firstToken: {
      coldMs: ms(({ cold }) => cold),
      warmMs: ms(({ warm }) => warm),
      directColdMs: ms(({ directCold }) => directCold),
      directWarmMs: ms(({ directWarm }) => directWarm),
    },
    directPromptPerSecond: of(({ directCold }) => directCold.promptPerSecond),
    directGeneratedPerSecond: of(({ directCold }) => directCold.generatedPerSecond),
  }
}

async function measureRound(bench: Bench, words: number): Promise<Round> {
  const { port, engine, plan } = bench
  const prompt = distinctPrompt(words, bench.random)
  const directPrompt = distinctPrompt(words, bench.random)
  const ask = (door: Door, text: string, generateTokens: number): Promise<TimedAnswer> =>
    timedRequest(door, { model: bench.model, prompt: text, generateTokens }, bench.signal)
  return {
    cold: await ask(port, prompt, plan.generateTokens),
    warm: await ask(port, prompt, 1),
    directCold: await ask(engine, directPrompt, plan.generateTokens),
    directWarm: await ask(engine, directPrompt, 1),
  }
}

export async function measureParallel(
  bench: Bench,
  scale: Scale,
  requests: number,
): Promise<ParallelFigures> {
  const { plan, model, port, signal } = bench
  const speeds: number[] = []
  const firstTokens: number[] = []
  for (let round = 1; round <= plan.rounds; round += 1) {
    bench.onStep(`${requests} at once: round ${round} of ${plan.rounds}`)
    const words = wordsFor(PARALLEL_PROMPT_TOKENS, scale)
    const prompts = Array.from({ length: requests }, () => distinctPrompt(words, bench.random))
    const { generateTokens } = plan
    const answers = await Promise.all(
      prompts.map((prompt) => timedRequest(port, { model, prompt, generateTokens }, signal)),
    )
    // All began at the same moment, so that the longest was there the whole time.
    const seconds = Math.max(...answers.map(({ totalMs }) => totalMs)) / 1000
    const tokens = answers.reduce((sum, answer) => sum + answer.generatedTokens, 0)
    speeds.push(tokens / seconds)
    firstTokens.push(Math.max(...answers.map(({ firstTokenMs }) => firstTokenMs)))
  }
  return {
    requests,
    generatedPerSecond: median(speeds) ?? 0,
    slowestFirstTokenMs: median(firstTokens) ?? 0,
  }
}
