/** How `/v1/messages` tells an answer. Pure. */
import type { Dialect, EngineQuestion, Joint, Reading } from './dialect.ts'
import { type JsonObject, listOf, numberOf, objectOf, textOf } from './json.ts'
import { chatObstacle, chatObstacleAt, commonObstacle } from './request-rules.ts'
import type { Said } from './said.ts'
import { writeEvent } from './sse-events.ts'

export function messagesDialect(): Dialect {
  const started = new Set<unknown>()
  let hasOpened = false
  const note = (json: JsonObject): void => {
    if (json['type'] === 'message_start') hasOpened = true
    if (json['type'] === 'content_block_start') started.add(json['index'])
  }
  return {
    read: readEvent,
    note,
    hasOpened: () => hasOpened,
    join: (json, reading, joint) => {
      if (reading.kind === 'opening') return false
      if (json['type'] === 'content_block_start' && started.has(json['index'])) return false
      note(json)
      if (json['type'] === 'message_delta') joinEnd(json, joint)
      return json['index'] === undefined || started.has(json['index'])
    },
    setText: (json, reasoning, content) => {
      json['delta'] = content === '' ? thinkingDelta(reasoning) : textDelta(content)
    },
    costs,
    // The engine drops the field that would keep it from this.
    repeatsSaid: true,
    obstacle,
    obstacleAt: chatObstacleAt,
    obstacleCounted: () => null,
    resumed,
    question,
    missingEnd,
    budgetFields: ['max_tokens'],
    // The engine's own, where Anthropic's API demands a number.
    defaultBudget: 4096,
    stopField: 'stop_sequences',
  }
}

function readEvent(json: JsonObject, name: string | null): Reading {
  if (name === 'error' || json['type'] === 'error') {
    return { kind: 'error', message: textOf((objectOf(json['error']) ?? json)['message']) }
  }
  switch (json['type']) {
    case 'message_start':
      return { kind: 'opening' }
    case 'content_block_start':
      return readBlock(objectOf(json['content_block']))
    case 'content_block_delta':
      return readDelta(objectOf(json['delta']))
    case 'content_block_stop':
    case 'message_delta':
      return { kind: 'closing' }
    case 'message_stop':
      return { kind: 'end' }
    default:
      return { kind: 'other' }
  }
}

function readBlock(block: JsonObject | null): Reading {
  if (block?.['type'] === 'thinking') return { kind: 'block', of: 'reasoning' }
  return block?.['type'] === 'text' ? { kind: 'block', of: 'content' } : { kind: 'tool' }
}

function readDelta(delta: JsonObject | null): Reading {
  switch (delta?.['type']) {
    case 'thinking_delta':
      return { kind: 'delta', reasoning: textOf(delta['thinking']), content: '' }
    case 'text_delta':
      return { kind: 'delta', reasoning: '', content: textOf(delta['text']) }
    case 'signature_delta':
      return { kind: 'closing' }
    default:
      return { kind: 'tool' }
  }
}

function joinEnd(json: JsonObject, { before, isMute }: Joint): void {
  const delta = objectOf(json['delta'])
  if (isMute && delta !== null) {
    delta['stop_reason'] = 'max_tokens'
    delta['stop_sequence'] = null
  }
  const usage = objectOf(json['usage'])
  if (usage === null || before === null) return
  const generated = isMute ? 0 : (numberOf(usage['output_tokens']) ?? 0)
  usage['output_tokens'] = before.generatedTokens + generated
}

function thinkingDelta(thinking: string): JsonObject {
  return { type: 'thinking_delta', thinking }
}

function textDelta(text: string): JsonObject {
  return { type: 'text_delta', text }
}

function costs(json: JsonObject): ReturnType<Dialect['costs']> {
  const usage = objectOf(json['usage']) ?? objectOf(objectOf(json['message'])?.['usage'])
  return { usage, timings: null }
}

function obstacle(request: JsonObject): string | null {
  const role = objectOf(listOf(request['messages']).at(-1))?.['role']
  const atEnd = role === 'assistant' ? 'its last message is the beginning of the answer' : null
  return commonObstacle(request) ?? chatObstacle(request) ?? atEnd ?? stopObstacle(request)
}

/** A stop sequence ends an answer within a token, and only the other APIs tell which text is the last. */
function stopObstacle(request: JsonObject): string | null {
  return listOf(request['stop_sequences']).length > 0 ? 'it has stop sequences' : null
}

function missingEnd(closings: readonly JsonObject[]): Buffer | null {
  if (!closings.some((json) => json['type'] === 'message_delta')) return null
  return writeEvent('message_stop', '{"type":"message_stop"}')
}

function question(request: JsonObject): EngineQuestion {
  return { path: '/v1/messages/count_tokens', body: Buffer.from(JSON.stringify(request)) }
}

function resumed(request: JsonObject, said: Said): JsonObject {
  const thinking = { type: 'thinking', thinking: said.reasoning }
  const text = { type: 'text', text: said.content }
  const content = said.phase === 'content' ? [thinking, text] : [thinking]
  return {
    ...request,
    messages: [...listOf(request['messages']), { role: 'assistant', content }],
  }
}
