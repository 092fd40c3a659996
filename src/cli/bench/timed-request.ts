/** One completion, with the times that its answer took: at the public port or at the engine itself. */
import { once } from 'node:events'
import { type IncomingMessage, request, type RequestOptions } from 'node:http'
import { createParser } from 'eventsource-parser'
import { systemClock } from '../../clock.ts'
import { messageOf, Oss20bdError } from '../../errors.ts'
import { field, parseJson } from '../json.ts'

/** Where to ask: the port as any app would, or the socket behind it. */
export type Door =
  | { readonly kind: 'port'; readonly url: string; readonly token: string | null }
  | { readonly kind: 'engine'; readonly socketPath: string }

export interface TimedAnswer {
  /** From the first byte sent to the first token come, and to the end. */
  readonly firstTokenMs: number
  readonly totalMs: number
  /** As the engine tells in `timings`: tokens of the prompt that it read and that it still knew. */
  readonly readTokens: number
  readonly cachedTokens: number
  readonly generatedTokens: number
  readonly promptPerSecond: number | null
  readonly generatedPerSecond: number | null
}

export interface Completion {
  readonly model: string
  readonly prompt: string
  readonly generateTokens: number
}

/** Throws `engine-failed` with what was answered instead, and the abort when `signal` does. */
export async function timedRequest(
  door: Door,
  completion: Completion,
  signal: AbortSignal,
): Promise<TimedAnswer> {
  const startedAtMs = systemClock.monotonicMs()
  let firstTokenMs: number | null = null
  let timings: unknown
  const response = await post(door, bodyFor(completion), signal)
  for await (const event of eventsOf(response, signal)) {
    const error = field(event, 'error', 'message')
    if (typeof error === 'string') throw failed(error)
    firstTokenMs ??= systemClock.monotonicMs() - startedAtMs
    timings = field(event, 'timings') ?? timings
  }
  const totalMs = systemClock.monotonicMs() - startedAtMs
  return answerOf(timings, firstTokenMs ?? totalMs, totalMs)
}

function bodyFor({ model, prompt, generateTokens }: Completion): string {
  // ignore_eos: an answer that ends early would be measured over too few tokens.
  const fixed = { stream: true, ignore_eos: true, temperature: 0 }
  return JSON.stringify({ ...fixed, model, prompt, max_tokens: generateTokens })
}

async function post(door: Door, body: string, signal: AbortSignal): Promise<IncomingMessage> {
  const token = door.kind === 'port' ? door.token : null
  const options: RequestOptions = {
    method: 'POST',
    // A kept connection may just be closing.
    agent: false,
    signal,
    headers: {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    },
  }
  const path = '/v1/completions'
  const outgoing =
    door.kind === 'port'
      ? request(new URL(path, door.url), options)
      : request({ ...options, socketPath: door.socketPath, path })
  try {
    outgoing.end(body)
    const [response]: IncomingMessage[] = await once(outgoing, 'response')
    if (response?.statusCode === 200) return response
    throw refused(response?.statusCode ?? 0, await textOf(response))
  } catch (error) {
    if (signal.aborted || error instanceof Oss20bdError) throw error
    throw failed(messageOf(error), error)
  }
}

async function textOf(response: IncomingMessage | undefined): Promise<string> {
  let text = ''
  response?.setEncoding('utf8')
  for await (const chunk of response ?? []) text += String(chunk)
  return text
}

/** Every event with content, up to `[DONE]`. */
async function* eventsOf(response: IncomingMessage, signal: AbortSignal): AsyncIterable<unknown> {
  let events: string[] = []
  let isDone = false
  const parser = createParser({ onEvent: ({ data }) => events.push(data) })
  response.setEncoding('utf8')
  try {
    for await (const chunk of response) {
      parser.feed(String(chunk))
      for (const data of events) {
        isDone ||= data === '[DONE]'
        if (data !== '[DONE]') yield parseJson(data)
      }
      events = []
    }
  } catch (error) {
    if (signal.aborted || error instanceof Oss20bdError) throw error
    throw failed(messageOf(error), error)
  }
  if (!isDone) throw failed('an answer ended in the middle')
}

function answerOf(timings: unknown, firstTokenMs: number, totalMs: number): TimedAnswer {
  const number = (name: string): number | null => {
    const value = field(timings, name)
    return typeof value === 'number' && Number.isFinite(value) ? value : null
  }
  const readTokens = number('prompt_n')
  const generatedTokens = number('predicted_n')
  if (readTokens === null || generatedTokens === null) {
    throw failed('the engine does not tell its timings')
  }
  return {
    firstTokenMs,
    totalMs,
    readTokens,
    cachedTokens: number('cache_n') ?? 0,
    generatedTokens,
    promptPerSecond: number('prompt_per_second'),
    // Of a single token there is no speed.
    generatedPerSecond: generatedTokens < 2 ? null : number('predicted_per_second'),
  }
}

function refused(status: number, text: string): Oss20bdError {
  const said = field(parseJson(text), 'error', 'message')
  const why = typeof said === 'string' ? said : `status ${status}, ${text.slice(0, 200)}`
  const hint =
    status === 401
      ? 'Put a token into OSS20BD_TOKEN; make one with: oss20bd token add NAME'
      : 'See how it is: oss20bd status'
  return new Oss20bdError('engine-failed', `Cannot measure: ${why}`, { hint })
}

function failed(why: string, cause?: unknown): Oss20bdError {
  const hint = 'See what happened: oss20bd why'
  return new Oss20bdError('engine-failed', `Cannot measure: ${why}`, { hint, cause })
}
