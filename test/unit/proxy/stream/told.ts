/** What a client makes of a stream, read strictly: an event that is no JSON throws. */
import type { Api } from '../../../../src/proxy/api.ts'
import { at, list, number, text } from './json-at.ts'

export interface Told {
  reasoning: string
  content: string
  /** Each way in which the answer was said to be over. */
  finishes: string[]
  /** How often the answer was said to begin, and to be at its very end. */
  openings: number
  ends: number
  errors: string[]
  /** Everything that names the answer or a part of it, once each. */
  names: Set<string>
  /** The engine gives each chunk its own second. */
  created: Set<unknown>
  /** The texts that the closing events give as the whole. */
  wholes: { reasoning: Set<string>; content: Set<string> }
  promptTokens: number | null
  generatedTokens: number | null
  /** Of the last event that has them: prompt with cache, and generated. */
  timedTokens: [number, number] | null
  /** What was announced and closed, in order, without the texts in between. */
  frame: string[]
}

/** Texts, ends and counts, but not the names that each request gives anew. */
export function substance({
  created: _created,
  ...all
}: Told): Omit<Told, 'names' | 'created'> & { names: number } {
  return { ...all, names: all.names.size }
}

export function told(api: Api, stream: Buffer): Told {
  const out: Told = {
    reasoning: '',
    content: '',
    finishes: [],
    openings: 0,
    ends: 0,
    errors: [],
    names: new Set(),
    created: new Set(),
    wholes: { reasoning: new Set(), content: new Set() },
    promptTokens: null,
    generatedTokens: null,
    timedTokens: null,
    frame: [],
  }
  const events = stream.toString().split('\n\n')
  if (events.pop() !== '') throw new Error(`an event is not whole: ${stream.toString().slice(-80)}`)
  for (const event of events) {
    if (!event.startsWith(':')) tell(api, event, out)
  }
  return out
}

function tell(api: Api, event: string, out: Told): void {
  const data = event.split('\n').find((line) => line.startsWith('data: '))
  if (data === undefined) throw new Error(`no data in ${event}`)
  if (data === 'data: [DONE]') {
    out.ends += 1
    return
  }
  const json: unknown = JSON.parse(data.slice(6))
  if (event.startsWith('event: error') || at(json, 'error') !== undefined) out.errors.push(data)
  else if (api === 'responses') tellResponse(json, out)
  else if (api === 'messages') tellMessage(json, out)
  else tellChunk(json, out)
  const timings = at(json, 'timings')
  if (timings === undefined) return
  const prompt = number(timings, 'prompt_n') + number(timings, 'cache_n')
  out.timedTokens = [prompt, number(timings, 'predicted_n')]
}

function tellChunk(json: unknown, out: Told): void {
  for (const name of ['id', 'model', 'system_fingerprint']) {
    out.names.add(`${name}=${String(at(json, name))}`)
  }
  out.created.add(at(json, 'created'))
  if (at(json, 'usage') !== undefined) {
    out.promptTokens = number(json, 'usage', 'prompt_tokens')
    out.generatedTokens = number(json, 'usage', 'completion_tokens')
    const total = number(json, 'usage', 'total_tokens')
    if (total !== out.promptTokens + out.generatedTokens) throw new Error('the total is no total')
  }
  const choice = at(json, 'choices', 0)
  if (choice === undefined) return
  const finish = at(choice, 'finish_reason')
  if (typeof finish === 'string') out.finishes.push(finish)
  if (at(choice, 'delta', 'role') !== undefined) out.openings += 1
  out.reasoning += text(choice, 'delta', 'reasoning_content')
  out.content += text(choice, 'delta', 'content') + text(choice, 'text')
}

function tellResponse(json: unknown, out: Told): void {
  const type = text(json, 'type')
  if (type === 'response.reasoning_text.delta') out.reasoning += text(json, 'delta')
  else if (type === 'response.output_text.delta') out.content += text(json, 'delta')
  else out.frame.push(`${type} ${text(json, 'item', 'type')}`)
  if (at(json, 'item_id') !== undefined) out.names.add(text(json, 'item_id'))
  if (at(json, 'item') !== undefined) tellItem(at(json, 'item'), out)
  if (type === 'response.output_text.done') out.wholes.content.add(text(json, 'text'))
  if (type === 'response.content_part.done') out.wholes.content.add(text(json, 'part', 'text'))
  if (type === 'response.created') out.openings += 1
  if (at(json, 'response') !== undefined) out.names.add(text(json, 'response', 'id'))
  if (type !== 'response.completed') return
  out.ends += 1
  out.finishes.push(text(json, 'response', 'status'))
  out.promptTokens = number(json, 'response', 'usage', 'input_tokens')
  out.generatedTokens = number(json, 'response', 'usage', 'output_tokens')
  for (const item of list(json, 'response', 'output')) tellItem(item, out)
}

function tellItem(item: unknown, out: Told): void {
  out.names.add(text(item, 'id'))
  const wholes = out.wholes[text(item, 'type') === 'reasoning' ? 'reasoning' : 'content']
  for (const part of list(item, 'content')) wholes.add(text(part, 'text'))
}

function tellMessage(json: unknown, out: Told): void {
  const type = text(json, 'type')
  const delta = text(json, 'delta', 'type')
  if (delta === 'thinking_delta') out.reasoning += text(json, 'delta', 'thinking')
  else if (delta === 'text_delta') out.content += text(json, 'delta', 'text')
  else out.frame.push(`${type} ${String(at(json, 'index'))} ${delta}`)
  if (type === 'message_start') {
    out.openings += 1
    out.names.add(text(json, 'message', 'id'))
    const usage = at(json, 'message', 'usage')
    out.promptTokens = number(usage, 'input_tokens') + number(usage, 'cache_read_input_tokens')
  }
  if (type === 'message_delta') {
    out.finishes.push(text(json, 'delta', 'stop_reason'))
    out.generatedTokens = number(json, 'usage', 'output_tokens')
  }
  if (type === 'message_stop') out.ends += 1
}
