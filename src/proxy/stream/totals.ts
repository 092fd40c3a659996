/** Adds what earlier parts of an answer cost to what the engine says of the last part. Pure. */
import { type JsonObject, numberOf, objectOf } from './json.ts'

/** What the parts before this one cost. */
export interface Before {
  /** Of the client's own request. */
  readonly promptTokens: number
  readonly generatedTokens: number
}

export interface Tally {
  promptTokens: number | null
  cachedTokens: number | null
  generatedTokens: number | null
  generatedPerSecond: number | null
  promptPerSecond: number | null
}

/** Chat and text completions. What the engine had in its cache is known of the last part only. */
export function joinUsage(usage: JsonObject, before: Before, isMute: boolean): void {
  const generated =
    before.generatedTokens + (isMute ? 0 : (numberOf(usage['completion_tokens']) ?? 0))
  usage['completion_tokens'] = generated
  usage['prompt_tokens'] = before.promptTokens
  usage['total_tokens'] = before.promptTokens + generated
  limitCached(objectOf(usage['prompt_tokens_details']), before)
}

/** `/v1/responses`. */
export function joinResponseUsage(usage: JsonObject, before: Before, isMute: boolean): void {
  const generated = before.generatedTokens + (isMute ? 0 : (numberOf(usage['output_tokens']) ?? 0))
  usage['output_tokens'] = generated
  usage['input_tokens'] = before.promptTokens
  usage['total_tokens'] = before.promptTokens + generated
  limitCached(objectOf(usage['input_tokens_details']), before)
}

function limitCached(details: JsonObject | null, before: Before): void {
  const cached = numberOf(details?.['cached_tokens'])
  if (details !== null && cached !== null) {
    details['cached_tokens'] = Math.min(cached, before.promptTokens)
  }
}

/**
 * Counts are those of the whole answer and rates those of the part that this engine measured; the times are
 * what the two make, because an engine that died told no times.
 */
export function joinTimings(timings: JsonObject, before: Before, isMute: boolean): void {
  const cached = Math.min(numberOf(timings['cache_n']) ?? 0, before.promptTokens)
  timings['cache_n'] = cached
  recount(timings, 'prompt', before.promptTokens - cached)
  const generated = isMute ? 0 : (numberOf(timings['predicted_n']) ?? 0)
  recount(timings, 'predicted', before.generatedTokens + generated)
}

function recount(timings: JsonObject, what: string, count: number): void {
  timings[`${what}_n`] = count
  const msEach = numberOf(timings[`${what}_per_token_ms`])
  if (msEach !== null) timings[`${what}_ms`] = Math.round(count * msEach * 1000) / 1000
}

/** Takes what an event says of the answer's cost; what it does not say stays as it was. */
export function tallyTimings(tally: Tally, timings: JsonObject): void {
  const cached = numberOf(timings['cache_n'])
  const prompt = numberOf(timings['prompt_n'])
  if (cached !== null && prompt !== null) {
    tally.cachedTokens = cached
    tally.promptTokens = cached + prompt
  }
  tally.generatedTokens = numberOf(timings['predicted_n']) ?? tally.generatedTokens
  // A rate of nothing is told as 0.
  tally.promptPerSecond = numberOf(timings['prompt_per_second']) || tally.promptPerSecond
  tally.generatedPerSecond = numberOf(timings['predicted_per_second']) || tally.generatedPerSecond
}

/** The three ways in which the APIs name the same counts. */
export function tallyUsage(tally: Tally, usage: JsonObject): void {
  const generated = numberOf(usage['completion_tokens']) ?? numberOf(usage['output_tokens'])
  // `message_start` says 0, which is not the end of it.
  tally.generatedTokens = generated || tally.generatedTokens
  const cachedApart = numberOf(usage['cache_read_input_tokens'])
  const prompt = numberOf(usage['prompt_tokens']) ?? numberOf(usage['input_tokens'])
  if (prompt !== null) tally.promptTokens = prompt + (cachedApart ?? 0)
  const details = objectOf(usage['prompt_tokens_details'] ?? usage['input_tokens_details'])
  tally.cachedTokens = cachedApart ?? numberOf(details?.['cached_tokens']) ?? tally.cachedTokens
}
