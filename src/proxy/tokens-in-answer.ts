/** Finds what the engine counted in the end of an answer, without reading the answer. Pure; never throws. */

export interface Tokens {
  readonly promptTokens: number | null
  readonly cachedTokens: number | null
  readonly generatedTokens: number | null
  readonly promptPerSecond: number | null
  readonly generatedPerSecond: number | null
}

/**
 * `end` is the last part of a JSON answer, where llama-server writes `usage` and `timings`. The last one
 * of each name counts: what a model says is a JSON string before them, in which every quote is escaped.
 */
export function tokensIn(end: string): Tokens {
  const last = (...names: readonly string[]): number | null => {
    for (const name of names) {
      const at = end.lastIndexOf(`"${name}":`)
      if (at === -1) continue
      const value = Number.parseFloat(end.slice(at + name.length + 3, at + name.length + 40))
      if (Number.isFinite(value) && value >= 0) return value
    }
    return null
  }
  return {
    promptTokens: last('prompt_tokens', 'input_tokens'),
    cachedTokens: last('cached_tokens', 'cache_read_input_tokens', 'cache_n'),
    generatedTokens: last('completion_tokens', 'output_tokens'),
    promptPerSecond: last('prompt_per_second'),
    generatedPerSecond: last('predicted_per_second'),
  }
}
