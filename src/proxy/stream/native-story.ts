/** How llama-server's own endpoints tell an answer: passed on untouched, and never continued. Pure. */
import { errorKind } from './engine-error.ts'
import { type JsonObject, numberOf, objectOf, parseObject, textOf } from './json.ts'
import { readEvent } from './sse-events.ts'
import { emptySeen, type MutableSeen, type StreamStory } from './story.ts'
import { tallyTimings } from './totals.ts'

export function nativeStory(request: JsonObject | null): StreamStory {
  const seen = emptySeen()
  return {
    seen,
    obstacle: 'its API has no continuation',
    conclusion: () => null,
    canContinue: () => false,
    questions: () => [],
    answered: () => undefined,
    continuation: () => null,
    retry: () => {
      if (request === null || seen.contentPassed) return null
      return Buffer.from(JSON.stringify(request))
    },
    take: (event) => {
      if (event[0] !== COLON) seen.contentPassed = true
      const last = lastEvent(event)
      if (last !== null) notice(last, seen)
      return event
    },
  }
}

const COLON = 0x3a
const STOP = Buffer.from('"stop":true')
const ERROR = Buffer.from('"error":{')

/** A quote inside of a JSON string has a backslash before it: these bytes are never the model's words. */
function lastEvent(event: Buffer): JsonObject | null {
  if (!event.includes(STOP) && !event.includes(ERROR)) return null
  return parseObject(readEvent(event).data ?? '')
}

function notice(json: JsonObject, seen: MutableSeen): void {
  const error = objectOf(json['error'])
  if (error !== null) seen.error = errorKind(textOf(error['message']))
  if (json['stop'] !== true) return
  seen.ended = true
  const timings = objectOf(json['timings'])
  if (timings !== null) tallyTimings(seen, timings)
  seen.promptTokens = numberOf(json['tokens_evaluated']) ?? seen.promptTokens
  seen.generatedTokens = numberOf(json['tokens_predicted']) ?? seen.generatedTokens
}
