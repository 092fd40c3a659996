/** What the chunks of chat and of text completions have in common. Pure. */
import type { Dialect, Joint, Reading } from './dialect.ts'
import { type JsonObject, listOf, objectOf, textOf } from './json.ts'
import { writeEvent } from './sse-events.ts'
import { joinTimings, joinUsage } from './totals.ts'

export interface ChunkShape {
  readChoice(choice: JsonObject): Reading
  setChoiceText(choice: JsonObject, reasoning: string, content: string): void
}

type Common =
  | 'read'
  | 'note'
  | 'hasOpened'
  | 'join'
  | 'setText'
  | 'costs'
  | 'repeatsSaid'
  | 'defaultBudget'
  | 'missingEnd'

/** What every chunk of an answer says again, and clients expect to stay the same. */
const names = ['created', 'id', 'model', 'system_fingerprint']

export function chunkDialect(shape: ChunkShape): Pick<Dialect, Common> {
  const named: JsonObject = {}
  let hasOpened = false
  return {
    read: (json) => readChunk(json, shape),
    note: (json) => {
      if (hasOpened || textOf(json['id']) === '') return
      hasOpened = true
      for (const name of names) if (json[name] !== undefined) named[name] = json[name]
    },
    hasOpened: () => hasOpened,
    join: (json, reading, joint) => {
      Object.assign(json, named)
      joinChunk(json, reading, joint)
      // The model's first token has been announced already, and how far the prompt was read is past.
      return reading.kind !== 'opening' && json['prompt_progress'] === undefined
    },
    setText: (json, reasoning, content) => {
      const choice = choiceOf(json)
      if (choice !== null) shape.setChoiceText(choice, reasoning, content)
    },
    costs: (json) => ({ usage: objectOf(json['usage']), timings: objectOf(json['timings']) }),
    repeatsSaid: false,
    defaultBudget: null,
    missingEnd,
  }
}

function readChunk(json: JsonObject, shape: ChunkShape): Reading {
  const error = objectOf(json['error'])
  if (error !== null) return { kind: 'error', message: textOf(error['message']) }
  const choice = choiceOf(json)
  if (choice !== null) return shape.readChoice(choice)
  return json['usage'] === undefined ? { kind: 'other' } : { kind: 'closing' }
}

function joinChunk(json: JsonObject, reading: Reading, { before, isMute }: Joint): void {
  const choice = choiceOf(json)
  if (isMute && reading.kind === 'closing' && choice !== null) choice['finish_reason'] = 'length'
  if (before === null) return
  const usage = objectOf(json['usage'])
  const timings = objectOf(json['timings'])
  if (usage !== null) joinUsage(usage, before, isMute)
  if (timings !== null) joinTimings(timings, before, isMute)
}

function missingEnd(closings: readonly JsonObject[], request: JsonObject): Buffer | null {
  const isAsked = objectOf(request['stream_options'])?.['include_usage'] === true
  const hasUsage = closings.some((json) => json['usage'] !== undefined)
  return isAsked && !hasUsage ? null : writeEvent(null, '[DONE]')
}

function choiceOf(json: JsonObject): JsonObject | null {
  return objectOf(listOf(json['choices'])[0])
}
