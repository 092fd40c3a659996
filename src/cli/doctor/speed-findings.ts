/** What can make answers slow. One judge for each. Pure. */
import { type Finding, type Judge, judgeAll } from '../../finding.ts'
import type { PowerState } from '../../host/power-state.ts'
import type { Priority } from '../../host/process-priority.ts'
import type { ColdPages } from '../../memory/cold-pages.ts'
import type { MemoryReading } from '../../memory/memory-reading.ts'
import { formatBytes } from '../../units.ts'
import type { UsualSpeed } from '../bench/verdict.ts'

/** null = not known, or no engine runs. */
export interface SpeedFacts extends Pick<
  MemoryReading,
  'swapInBytesPerSecond' | 'swapOutBytesPerSecond'
> {
  readonly platform: NodeJS.Platform
  readonly power: PowerState
  /** Of the engine. */
  readonly priority: Priority | null
  readonly coldPages: ColdPages | null
  /** The median of the last requests. */
  readonly promptTokens: number | null
  readonly measured: { readonly perSecond: number; readonly when: string } | null
  readonly usual: UsualSpeed | null
  /** What the last bench found, when something else has been measured since. */
  readonly before: { readonly perSecond: number; readonly at: string } | null
  /** Why `usual` is null. */
  readonly unknown: string | null
}

/** That it is slow is told by its causes where these are known. */
export function judgeSpeed(facts: SpeedFacts): readonly Finding[] {
  const causes = judgeAll([savesPower, hot, background, swaps, cold, longPrompts], facts)
  return causes.length > 0 ? causes : judgeAll([slow, slowerThanBefore], facts)
}

const savesPower: Judge<SpeedFacts> = ({ platform, power: { saving } }) => {
  if (saving?.isOn !== true) return null
  return {
    id: 'low-power',
    what: 'The machine saves power: it takes longer for every answer',
    why: `${saving.setting} is on`,
    mend:
      platform === 'darwin' ? `sudo pmset -a ${saving.setting} 0` : 'powerprofilesctl set balanced',
    degree: 'worse',
  }
}

const hot: Judge<SpeedFacts> = ({ power: { heat } }) => {
  if (heat?.isSlowed !== true) return null
  return {
    id: 'too-hot',
    what: 'The machine is hot and slows itself down: let it cool',
    why: `pmset -g therm: ${heat.seen}`,
    mend: 'oss20bd unload',
    degree: 'worse',
  }
}

const background: Judge<SpeedFacts> = ({ priority }) => {
  if (priority?.isBackground !== true) return null
  return {
    id: 'background',
    what: 'The engine runs as work that nobody waits for, and gets what others leave',
    why: `it has ${priority.seen}, from the program that started the daemon`,
    mend: 'oss20bd stop && oss20bd start',
    degree: 'worse',
  }
}

/** Less is what a machine that is well moves about now and then. */
const SWAP_BYTES_PER_SECOND = 2 ** 20

const swaps: Judge<SpeedFacts> = (facts) => {
  const inBytes = facts.swapInBytesPerSecond ?? 0
  const outBytes = facts.swapOutBytesPerSecond ?? 0
  if (inBytes + outBytes < SWAP_BYTES_PER_SECOND) return null
  return {
    id: 'swapping',
    what: 'The machine swaps: close other apps, or give the model less memory',
    why: `${formatBytes(Math.round(inBytes))}/s are read from swap, ${formatBytes(Math.round(outBytes))}/s written`,
    mend: 'oss20bd plan',
    degree: 'worse',
  }
}

const COLD_SHARE = 0.1

const cold: Judge<SpeedFacts> = ({ coldPages }) => {
  if (coldPages === null) return null
  const { coldBytes, totalBytes } = coldPages
  if (coldBytes <= totalBytes * COLD_SHARE) return null
  return {
    id: 'cold-pages',
    what: 'The model has gone cold: the next answer has to bring it back into memory',
    why: `${formatBytes(coldBytes)} of ${formatBytes(totalBytes)} of the engine are compressed or in swap`,
    mend: 'oss20bd ask hello',
    degree: 'worse',
  }
}

/** From here on reading a prompt takes many seconds on every Mac, and each token reads a gigabyte more of cache for 40,000 of it. */
const LONG_PROMPT_TOKENS = 16_384

const longPrompts: Judge<SpeedFacts> = ({ promptTokens }) => {
  if (promptTokens === null || promptTokens < LONG_PROMPT_TOKENS) return null
  return {
    id: 'long-prompts',
    what: 'Apps send long conversations: begin new ones, and answers come sooner',
    why: `the last requests had ${promptTokens} tokens in the median`,
    mend: 'oss20bd requests',
    degree: 'worse',
  }
}

/** One measurement differs from another by less. */
const SLOW_SHARE = 0.5

const slow: Judge<SpeedFacts> = ({ measured, usual }) => {
  if (measured === null || usual === null) return null
  if (measured.perSecond >= usual.perSecond * SLOW_SHARE) return null
  return {
    id: 'slow',
    what: 'Answers come at less than half the speed of this machine, and no cause is seen',
    why: `${measured.perSecond.toFixed(1)} tokens/s ${measured.when}, about ${usual.perSecond.toFixed(0)} are to be expected (${usual.source})`,
    mend: 'oss20bd bench',
    degree: 'worse',
  }
}

const slowerThanBefore: Judge<SpeedFacts> = ({ measured, before, usual }) => {
  // `slow` has told it.
  if (measured === null || before === null || usual !== null) return null
  if (measured.perSecond >= before.perSecond * SLOW_SHARE) return null
  return {
    id: 'slower-than-before',
    what: 'Answers come at less than half the speed that they once had',
    why: `${measured.perSecond.toFixed(1)} tokens/s ${measured.when}, ${before.perSecond.toFixed(1)} by the bench of ${before.at}`,
    mend: 'oss20bd bench',
    degree: 'worse',
  }
}
