/** Settings that take memory, as a person would write them into the config. Pure. */
import type { MemorySettings } from './memory-plan.ts'

export function wordsOf({ contextTokens, cacheType, promptCacheBytes }: MemorySettings): string {
  const cache = cacheType === 'f16' ? '' : ` with model.cacheType = "${cacheType}"`
  const prompts = promptCacheBytes > 0 ? '' : ' and model.promptCache = "0B"'
  return `model.contextTokens = ${contextTokens}${cache}${prompts}`
}
