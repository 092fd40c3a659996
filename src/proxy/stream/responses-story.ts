/** How `/v1/responses` tells an answer. Pure. */
import type { Dialect, Joint, Reading } from './dialect.ts'
import { type JsonObject, listOf, objectOf, textOf } from './json.ts'
import { chatObstacle, chatObstacleAt, commonObstacle } from './request-rules.ts'
import type { Said } from './said.ts'
import { joinResponseUsage, joinTimings } from './totals.ts'

/** The ids that the first part gave; the engine makes new ones for each request. */
interface Ids {
  response: string
  reasoning: string
  message: string
  isInProgress: boolean
  hasTextPart: boolean
}

export function responsesDialect(): Dialect {
  const ids: Ids = {
    response: '',
    reasoning: '',
    message: '',
    isInProgress: false,
    hasTextPart: false,
  }
  return {
    read: readEvent,
    note: (json) => void noteIds(json, ids),
    hasOpened: () => ids.response !== '',
    join: (json, _reading, joint) => joinEvent(json, joint, ids),
    setText: (json, reasoning, content) => {
      json['delta'] = reasoning + content
    },
    costs: (json) => ({
      usage: objectOf(objectOf(json['response'])?.['usage']),
      timings: objectOf(json['timings']),
    }),
    repeatsSaid: false,
    obstacle: (request) =>
      commonObstacle(request) ?? chatObstacle(request) ?? lastItemObstacle(request),
    obstacleAt: chatObstacleAt,
    obstacleCounted: () => null,
    resumed,
    question: (request) => ({
      path: '/v1/responses/input_tokens',
      body: Buffer.from(JSON.stringify(request)),
    }),
    // The last event alone has the usage.
    missingEnd: () => null,
    budgetFields: ['n_predict', 'max_completion_tokens', 'max_output_tokens'],
    defaultBudget: null,
    stopField: 'stop',
  }
}

function readEvent(json: JsonObject, name: string | null): Reading {
  const error = objectOf(json['error'])
  if (error !== null) return { kind: 'error', message: textOf(error['message']) }
  switch (json['type']) {
    case 'response.created':
    case 'response.in_progress':
      return { kind: 'opening' }
    case 'response.output_item.added':
      return readItem(objectOf(json['item']))
    case 'response.content_part.added':
      return { kind: 'block', of: 'content' }
    case 'response.reasoning_text.delta':
      return { kind: 'delta', reasoning: textOf(json['delta']), content: '' }
    case 'response.output_text.delta':
      return { kind: 'delta', reasoning: '', content: textOf(json['delta']) }
    case 'response.function_call_arguments.delta':
      return { kind: 'tool' }
    case 'response.output_item.done':
    case 'response.output_text.done':
    case 'response.content_part.done':
      return { kind: 'closing' }
    case 'response.completed':
      return { kind: 'end' }
    default:
      return name === 'error'
        ? { kind: 'error', message: textOf(json['message']) }
        : { kind: 'other' }
  }
}

function readItem(item: JsonObject | null): Reading {
  if (item?.['type'] === 'reasoning') return { kind: 'block', of: 'reasoning' }
  return item?.['type'] === 'message' ? { kind: 'block', of: 'content' } : { kind: 'tool' }
}

/** False when something is announced of which the client knows. */
function noteIds(json: JsonObject, ids: Ids): boolean {
  const isNew = isUnknown(json, ids)
  const item = objectOf(json['item'])
  switch (json['type']) {
    case 'response.created':
      ids.response ||= textOf(objectOf(json['response'])?.['id'])
      break
    case 'response.in_progress':
      ids.isInProgress = true
      break
    case 'response.content_part.added':
      ids.hasTextPart = true
      break
    case 'response.output_item.added':
      if (item?.['type'] === 'reasoning') ids.reasoning ||= textOf(item['id'])
      if (item?.['type'] === 'message') ids.message ||= textOf(item['id'])
      break
  }
  return isNew
}

function isUnknown(json: JsonObject, ids: Ids): boolean {
  switch (json['type']) {
    case 'response.created':
      return ids.response === ''
    case 'response.in_progress':
      return !ids.isInProgress
    case 'response.content_part.added':
      return !ids.hasTextPart
    case 'response.output_item.added': {
      const type = objectOf(json['item'])?.['type']
      if (type === 'reasoning') return ids.reasoning === ''
      return type !== 'message' || ids.message === ''
    }
    default:
      return true
  }
}

function joinEvent(json: JsonObject, joint: Joint, ids: Ids): boolean {
  if (!noteIds(json, ids)) return false
  const timings = objectOf(json['timings'])
  if (timings !== null && joint.before !== null) joinTimings(timings, joint.before, joint.isMute)
  switch (json['type']) {
    case 'response.in_progress':
      setId(objectOf(json['response']), ids.response)
      return true
    case 'response.reasoning_text.delta':
      json['item_id'] = ids.reasoning
      return true
    case 'response.output_text.delta':
    case 'response.content_part.added':
      json['item_id'] = ids.message
      return true
    case 'response.output_text.done':
      json['item_id'] = ids.message
      json['text'] = joint.said.content
      return ids.message !== ''
    case 'response.content_part.done':
      json['item_id'] = ids.message
      setFirstText(objectOf(json['part']), joint.said.content)
      return ids.message !== ''
    case 'response.output_item.added':
    case 'response.output_item.done':
      return joinItem(objectOf(json['item']), joint, ids)
    case 'response.completed':
      joinCompleted(objectOf(json['response']), joint, ids)
      return true
    default:
      return true
  }
}

/** False for an item of which the client was told nothing. */
function joinItem(item: JsonObject | null, { said, isMute }: Joint, ids: Ids): boolean {
  if (item === null) return false
  const [part] = listOf(item['content'])
  if (item['type'] === 'reasoning') {
    item['id'] = ids.reasoning
    setFirstText(objectOf(part), said.reasoning)
    return ids.reasoning !== ''
  }
  if (item['type'] === 'message') {
    item['id'] = ids.message
    setFirstText(objectOf(part), said.content)
    return ids.message !== ''
  }
  return !isMute
}

function setId(response: JsonObject | null, id: string): void {
  if (response !== null) response['id'] = id
}

function setFirstText(part: JsonObject | null, text: string): void {
  if (part !== null) part['text'] = text
}

function joinCompleted(response: JsonObject | null, joint: Joint, ids: Ids): void {
  if (response === null) return
  response['id'] = ids.response
  response['output'] = listOf(response['output']).filter((item) =>
    joinItem(objectOf(item), joint, ids),
  )
  const usage = objectOf(response['usage'])
  if (usage !== null && joint.before !== null) {
    joinResponseUsage(usage, joint.before, joint.isMute)
  }
}

/** The engine joins items of the assistant that follow one another into one message. */
function lastItemObstacle(request: JsonObject): string | null {
  const { input } = request
  if (typeof input === 'string') return null
  const last = objectOf(listOf(input).at(-1))
  const isAsked =
    last?.['type'] === 'function_call_output' ||
    ['user', 'system', 'developer'].includes(textOf(last?.['role']))
  return isAsked ? null : 'its last item is the beginning of the answer'
}

function resumed(request: JsonObject, said: Said): JsonObject {
  const { input } = request
  const { reasoning, content, phase } = said
  const items: unknown[] =
    typeof input === 'string' ? [{ role: 'user', content: input }] : [...listOf(input)]
  items.push({
    type: 'reasoning',
    summary: [],
    content: [{ type: 'reasoning_text', text: reasoning }],
  })
  if (phase === 'content') {
    items.push({
      type: 'message',
      role: 'assistant',
      content: [{ type: 'output_text', text: content }],
    })
  }
  return {
    ...request,
    input: items,
    continue_final_message: phase === 'content' ? 'content' : 'reasoning_content',
    add_generation_prompt: false,
  }
}
