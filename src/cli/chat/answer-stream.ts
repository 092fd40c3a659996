/** Asks the public port as any app would, and yields the answer as it comes. */
import { createParser } from 'eventsource-parser'
import { messageOf, Oss20bdError } from '../../errors.ts'
import { field, parseJson } from '../json.ts'

type Role = 'system' | 'user' | 'assistant'

export interface Message {
  readonly role: Role
  readonly content: string
}

export interface ChatRequest {
  readonly url: string
  /** Sent as the API key; null = none. */
  readonly token: string | null
  readonly model: string
  readonly messages: readonly Message[]
  readonly effort: 'low' | 'medium' | 'high' | null
  /** A JSON schema that the answer must follow; null = free. */
  readonly schema: unknown
  readonly maxTokens: number | null
  readonly signal: AbortSignal
}

/** What an answer consists of, in the order in which it comes. */
export type AnswerPiece =
  | { readonly kind: 'reasoning' | 'content'; readonly text: string }
  | { readonly kind: 'end'; readonly end: AnswerEnd }

export interface AnswerEnd {
  /** `stop`, `length`, ...; null when the engine did not say. */
  readonly finishReason: string | null
  readonly promptTokens: number | null
  readonly generatedTokens: number | null
  readonly generatedPerSecond: number | null
}

const nothingKnown: AnswerEnd = {
  finishReason: null,
  promptTokens: null,
  generatedTokens: null,
  generatedPerSecond: null,
}

/** Throws `engine-failed` with what the port said. It waits as long as the port does: that one gives up, in words. */
export async function* streamAnswer(request: ChatRequest): AsyncIterable<AnswerPiece> {
  const response = await post(request)
  let events: string[] = []
  const parser = createParser({ onEvent: ({ data }) => events.push(data) })
  const decoder = new TextDecoder()
  let end = nothingKnown
  let isDone = false
  for await (const bytes of bodyOf(response, request.signal)) {
    parser.feed(decoder.decode(bytes, { stream: true }))
    for (const data of events) {
      isDone ||= data === '[DONE]'
      const event = parseJson(data)
      yield* wordsOf(event)
      end = endOf(end, event)
    }
    events = []
  }
  if (!isDone) throw broken('it ended in the middle')
  yield { kind: 'end', end }
}

async function post(request: ChatRequest): Promise<Response> {
  const { url, token, signal } = request
  const headers = {
    'content-type': 'application/json',
    ...(token === null ? {} : { authorization: `Bearer ${token}` }),
  }
  const body = JSON.stringify(bodyFor(request))
  let response: Response
  try {
    response = await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers, body, signal })
  } catch (error) {
    if (signal.aborted) throw error
    // fetch itself says only "fetch failed"; its cause says why.
    throw broken(messageOf(error instanceof Error ? (error.cause ?? error) : error), error)
  }
  if (response.ok) return response
  throw refused(response.status, await response.text())
}

function bodyFor(request: ChatRequest): Record<string, unknown> {
  const { model, messages, effort, schema, maxTokens } = request
  return {
    model,
    messages,
    stream: true,
    stream_options: { include_usage: true },
    ...(effort === null ? {} : { reasoning_effort: effort }),
    ...(maxTokens === null ? {} : { max_tokens: maxTokens }),
    ...(schema === null
      ? {}
      : {
          response_format: {
            type: 'json_schema',
            json_schema: { name: 'answer', strict: true, schema },
          },
        }),
  }
}

async function* bodyOf(response: Response, signal: AbortSignal): AsyncIterable<Uint8Array> {
  if (response.body === null) return
  try {
    for await (const bytes of response.body) yield bytes
  } catch (error) {
    if (signal.aborted) throw error
    throw broken(messageOf(error), error)
  }
}

/** The words of one event. Throws when it tells an error. */
function* wordsOf(event: unknown): Iterable<AnswerPiece> {
  const error = field(event, 'error', 'message')
  if (typeof error === 'string') throw broken(error)
  const delta = field(event, 'choices', '0', 'delta')
  const reasoning = field(delta, 'reasoning_content')
  if (typeof reasoning === 'string' && reasoning !== '')
    yield { kind: 'reasoning', text: reasoning }
  const content = field(delta, 'content')
  if (typeof content === 'string' && content !== '') yield { kind: 'content', text: content }
}

/** What is known of the whole after one more event. Pure. */
function endOf(known: AnswerEnd, event: unknown): AnswerEnd {
  const reason = field(event, 'choices', '0', 'finish_reason')
  return {
    finishReason: typeof reason === 'string' ? reason : known.finishReason,
    promptTokens: numberOr(field(event, 'usage', 'prompt_tokens'), known.promptTokens),
    generatedTokens: numberOr(field(event, 'usage', 'completion_tokens'), known.generatedTokens),
    generatedPerSecond: numberOr(
      field(event, 'timings', 'predicted_per_second'),
      known.generatedPerSecond,
    ),
  }
}

function numberOr(value: unknown, otherwise: number | null): number | null {
  return typeof value === 'number' ? value : otherwise
}

function refused(status: number, text: string): Oss20bdError {
  const said = field(parseJson(text), 'error', 'message')
  const why = typeof said === 'string' ? said : `status ${status}, ${text.slice(0, 200)}`
  const hint =
    status === 401
      ? 'Put a token into OSS20BD_TOKEN; make one with: oss20bd token add NAME'
      : 'See how it is: oss20bd status'
  return new Oss20bdError('engine-failed', `Cannot get an answer: ${why}`, { hint })
}

function broken(why: string, cause?: unknown): Oss20bdError {
  return new Oss20bdError('engine-failed', `Cannot go on with the answer: ${why}`, {
    hint: 'See what happened: oss20bd why',
    cause,
  })
}
