/** What llama-server's `/metrics` tells of its work. Pure; never throws. */
import type { EngineCounters } from '../engine.ts'

const prefix = 'llamacpp:'
/** The real text has 3 KB; what is far longer is no answer of ours. */
const maxLength = 256 * 1024
/** As `double` is printed by C++; `nan` and `inf` are no readings. */
const plainNumber = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i

/**
 * Reads the Prometheus text. A counter that is missing or no plain number is null; null as a whole
 * when the text holds none of them. A last line without its end is left out: it may have lost digits.
 *
 * `workSteps` adds decode calls and prompt tokens: the engine's count of generated tokens moves only
 * when a request ends, these two move within it. The engine prints six digits, so that from a million
 * on a step may not show at once: compare readings that are many seconds apart.
 */
export function readCounters(text: string): EngineCounters | null {
  if (text.length > maxLength) return null
  const values = readValues(text)
  const valueOf = (name: string): number | null => values.get(name) ?? null
  const decodes = valueOf('n_decode_total')
  const promptTokens = valueOf('prompt_tokens_total')
  const counters: EngineCounters = {
    requestsProcessing: valueOf('requests_processing'),
    requestsWaiting: valueOf('requests_deferred'),
    // Half of the sum would jump when the other half comes back.
    workSteps: decodes === null || promptTokens === null ? null : decodes + promptTokens,
    promptTokens,
    promptSeconds: valueOf('prompt_seconds_total'),
    generatedTokens: valueOf('tokens_predicted_total'),
    generatedSeconds: valueOf('tokens_predicted_seconds_total'),
  }
  return Object.values(counters).every((value) => value === null) ? null : counters
}

/** Name to value, of the whole lines without labels; negative values are none of ours. */
function readValues(text: string): Map<string, number> {
  const values = new Map<string, number>()
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  for (const line of whole.split('\n')) {
    if (!line.startsWith(prefix)) continue
    const [name, digits] = line.slice(prefix.length).trimEnd().split(/ +/)
    if (name === undefined || digits === undefined || !plainNumber.test(digits)) continue
    const value = Number(digits)
    if (Number.isFinite(value) && value >= 0) values.set(name, value)
  }
  return values
}
