/** Which requests have answers that can go on exactly after a cut. Pure. */
import { type JsonObject, listOf, numberOf, objectOf, textOf } from './json.ts'
import type { Said } from './said.ts'

/** Each of these binds the engine to a state that is lost with it, or to one that we cannot give back. */
const bindingFields = [
  'grammar',
  'json_schema',
  'grammar_lazy',
  'grammar_triggers',
  'chat_parser',
  'chat_format',
  'generation_prompt',
  'preserved_tokens',
  'parse_tool_calls',
  'continue_final_message',
  'reasoning_control',
  'echo',
  'suffix',
  'best_of',
  'response_fields',
]

/** Limits and samplers that count from the beginning of what the engine generates. */
const countingFields = ['mirostat', 't_max_predict_ms', 'n_indent', 'n_probs', 'top_logprobs']

/** What holds for each API. */
export function commonObstacle(request: JsonObject): string | null {
  if (request['stream'] !== true) return 'it is no stream'
  for (const name of ['n', 'n_cmpl']) {
    if ((numberOf(request[name]) ?? 1) !== 1) return 'it has more than one choice'
  }
  if (isSet(request['logprobs'])) return 'it has logprobs'
  const binding = bindingFields.find((name) => isSet(request[name]))
  if (binding !== undefined) return `the request sets ${binding}`
  const counting = countingFields.find((name) => (numberOf(request[name]) ?? 0) > 0)
  if (counting !== undefined) return `the request sets ${counting}`
  if ((numberOf(request['adaptive_target']) ?? -1) >= 0) return 'the request sets adaptive_target'
  return formatObstacle(request)
}

/** Of an answer that is made of messages. */
export function chatObstacle(request: JsonObject): string | null {
  if (request['add_generation_prompt'] === false) return 'the request sets add_generation_prompt'
  const reasoningFormat = request['reasoning_format'] ?? 'auto'
  if (reasoningFormat !== 'auto' && reasoningFormat !== 'deepseek') {
    return 'its reasoning is not told apart from its content'
  }
  const choice = toolChoice(request)
  if (hasTools(request) && choice !== 'auto' && choice !== 'none') return 'a tool call is demanded'
  // The engine takes the last one in a prompt that goes on for the end of the conversation.
  if (JSON.stringify(request).includes('<|return|>')) return 'the request holds <|return|>'
  return null
}

/**
 * Chats of gpt-oss. With tools, content may be the preamble of a tool call as well as the final answer, and
 * the stream does not tell which: going on in the final channel would lose the call. Content without
 * reasoning would go on behind an empty reasoning that the model never had.
 */
export function chatObstacleAt(request: JsonObject, said: Said): string | null {
  if (said.outOfOrder) return 'reasoning came after content'
  if (said.phase === 'content') {
    if (said.reasoning.trim() === '') return 'its content began without reasoning'
    if (hasTools(request) && toolChoice(request) !== 'none') {
      return 'with tools, its content may be the beginning of a tool call'
    }
    return null
  }
  return hasReasoningBudget(request) ? 'its reasoning has a budget of its own' : null
}

export function hasStops(request: JsonObject, stopField: string): boolean {
  return stopsOf(request, stopField).length > 0
}

/**
 * The engine holds back what may become a stop sequence, so that nothing said ends in the beginning of one;
 * only a marker in between can show it. Then the engine would not know the whole sequence again.
 */
export function endsInStop(request: JsonObject, stopField: string, text: string): boolean {
  return stopsOf(request, stopField).some((stop) => {
    for (let length = Math.min(stop.length, text.length); length > 0; length -= 1) {
      if (text.endsWith(stop.slice(0, length))) return true
    }
    return false
  })
}

function stopsOf(request: JsonObject, stopField: string): string[] {
  const value = request[stopField]
  const stops = typeof value === 'string' ? [value] : listOf(value).map(textOf)
  return stops.filter((stop) => stop !== '')
}

/** The budget that counts; null for none. */
export function budgetOf(
  request: JsonObject,
  fields: readonly string[],
  otherwise: number | null,
): number | null {
  const counts = fields.map((name) => numberOf(request[name])).find((value) => value !== null)
  const budget = counts ?? otherwise
  return budget === null || budget < 0 ? null : budget
}

/** Less `usedTokens`, and never less than the one token without which the engine gives no end. */
export function withLessBudget(
  request: JsonObject,
  fields: readonly string[],
  otherwise: number | null,
  usedTokens: number,
): JsonObject {
  const lowered: JsonObject = { ...request }
  const named = fields.filter((name) => (numberOf(request[name]) ?? -1) >= 0)
  for (const name of named) lowered[name] = Math.max((numberOf(request[name]) ?? 0) - usedTokens, 1)
  const [first] = fields
  if (named.length === 0 && otherwise !== null && first !== undefined) {
    lowered[first] = Math.max(otherwise - usedTokens, 1)
  }
  return lowered
}

function formatObstacle(request: JsonObject): string | null {
  const formats = [request['response_format'], objectOf(request['text'])?.['format']]
  for (const format of formats) {
    if (isSet(format) && textOf(objectOf(format)?.['type']) !== 'text') {
      return 'its format is prescribed'
    }
  }
  return null
}

function hasTools(request: JsonObject): boolean {
  return listOf(request['tools']).length > 0
}

function toolChoice(request: JsonObject): string {
  const choice = request['tool_choice'] ?? 'auto'
  if (typeof choice === 'string') return choice
  // `/v1/messages` has an object, of which the engine reads `auto`, `any` and `tool`, and no `none`.
  const type = textOf(objectOf(choice)?.['type'])
  return type === 'auto' || type === 'none' ? 'auto' : 'demanded'
}

function hasReasoningBudget(request: JsonObject): boolean {
  const names = ['reasoning_budget_tokens', 'thinking_budget_tokens']
  if (names.some((name) => (numberOf(request[name]) ?? -1) >= 0)) return true
  return objectOf(request['thinking'])?.['type'] === 'enabled'
}

/** Absent, null, false and empty set nothing. */
function isSet(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === '') return false
  return value !== 0 && !(Array.isArray(value) && value.length === 0)
}
