/** Plays an engine that knows one recorded answer, and goes on with it from any place. */
import { readFileSync } from 'node:fs'
import { type Api, apiOf } from '../../../../src/proxy/api.ts'
import { readEvent, writeEvent } from '../../../../src/proxy/stream/sse-events.ts'
import { at, list, text } from './json-at.ts'

export interface Recording {
  readonly api: Api
  readonly request: unknown
  readonly stream: Buffer
}

export function recording(name: string): Recording {
  const url = new URL(`../../../fixtures/streams/${name}.txt`, import.meta.url)
  const all = readFileSync(url, 'utf8')
  const [head = ''] = all.split('\n\n', 1)
  const json: unknown = JSON.parse(head.slice(2))
  const name2 = text(json, 'api')
  const path = name2 === 'chat' ? '/v1/chat/completions' : `/v1/${name2}`
  const api = apiOf('POST', path) ?? 'native'
  return { api, request: at(json, 'request'), stream: Buffer.from(all.slice(head.length + 2)) }
}

interface Texts {
  readonly reasoning: string
  readonly content: string
}

interface Step extends Texts {
  readonly name: string | null
  readonly data: string
  /** It belongs to the end of the answer. */
  readonly isClosing: boolean
}

const PROMPT_TOKENS = 200
/** What the model would say beyond its budget. */
const BEYOND = '!'
const closings =
  /"finish_reason":"|"choices":\[\]|"signature_delta"|"content_block_stop"|\.done"|"message_delta"|"response.completed"|"message_stop"|^\[DONE\]/

export class RecordedEngine {
  readonly #api: Api
  readonly #steps: readonly Step[]
  readonly #totalTokens: number
  readonly #hasBudget: boolean
  #answers = 0

  constructor({ api, request, stream }: Recording) {
    this.#api = api
    this.#hasBudget = /"max_\w*tokens"/.test(JSON.stringify(request))
    const events = stream.toString().split('\n\n').slice(0, -1)
    this.#steps = events.map((event) => stepOf(Buffer.from(`${event}\n\n`)))
    const counts = stream
      .toString()
      .matchAll(/"(?:completion_tokens|output_tokens|predicted_n)":(\d+)/g)
    this.#totalTokens = Number([...counts].at(-1)?.[1])
  }

  /** Its answer to a question of the story. */
  count(path: string, body: Buffer): unknown {
    const json: unknown = JSON.parse(body.toString())
    const prompt = { prompt: at(json, 'content') }
    const said = saidIn(path === '/tokenize' ? prompt : json)
    const tokens = PROMPT_TOKENS + this.#tokensOf(said)
    return path === '/tokenize'
      ? { tokens: Array.from({ length: tokens }, () => 1) }
      : { input_tokens: tokens }
  }

  /** The stream that answers `body`, with names of its own as each answer has. */
  answer(body: Buffer): Buffer {
    this.#answers += 1
    const request: unknown = JSON.parse(body.toString())
    const said = saidIn(request)
    const used = this.#tokensOf(said)
    const budget = at(request, 'max_tokens') ?? at(request, 'max_output_tokens')
    const isBeyond = used === this.#totalTokens && budget === 1
    const fresh = isBeyond ? 1 : this.#totalTokens - used
    if (this.#hasBudget && budget !== fresh) throw new Error(`a budget other than ${fresh}`)
    const steps = this.#echoed(this.#after(said, isBeyond), said)
    const data = steps.map((step) => writeEvent(step.name, counted(step.data, used, fresh)))
    return renamed(Buffer.concat(data).toString(), this.#answers)
  }

  #after(said: Texts, isBeyond: boolean): Step[] {
    let [reasoning, content] = ['', '']
    const steps = this.#steps.filter((step) => {
      reasoning += step.reasoning
      content += step.content
      // The engine announces reasoning with the first that is new.
      if (step.data.includes('"reasoning","content":[]')) return said.content === ''
      const isSaid =
        step.reasoning !== ''
          ? said.reasoning.startsWith(reasoning)
          : said.content.startsWith(content)
      return step.reasoning + step.content === '' || !isSaid
    })
    if (!isBeyond) return steps
    const last = this.#steps.findLast((step) => step.reasoning + step.content !== '')
    const end = steps.findIndex((step) => step.isClosing)
    if (last === undefined || end === -1) throw new Error('no text, or no end')
    const closing = steps
      .slice(end)
      .map((step) => withText(beyond(step), last, content === '' ? reasoning : content))
    const more = {
      ...withText(last, last, ''),
      reasoning: last.reasoning === '' ? '' : BEYOND,
      content: last.content === '' ? '' : BEYOND,
    }
    return [...steps.slice(0, end), more, ...closing]
  }

  /** `/v1/messages` says again what it was given, together with the first that is new. */
  #echoed(steps: readonly Step[], said: Texts): Step[] {
    if (this.#api !== 'messages' || said.reasoning === '') return [...steps]
    const out: Step[] = []
    let { reasoning, content } = said
    for (const step of steps) {
      const index = /"content_block_start","index":(\d)/.exec(step.data)?.[1]
      if (step.reasoning !== '' && reasoning !== '') {
        out.push({
          ...step,
          data: step.data.replace(quoted(step.reasoning), quoted(reasoning + step.reasoning)),
        })
        reasoning = ''
        continue
      }
      if (step.content !== '' && content !== '') {
        out.push({
          ...step,
          data: step.data.replace(quoted(step.content), quoted(content + step.content)),
        })
        content = ''
        continue
      }
      if ((index === '1' || step.isClosing) && reasoning !== '') {
        out.push(delta('thinking', reasoning, 0))
        reasoning = ''
      }
      if (step.isClosing && content !== '') {
        out.push(delta('text', content, 1))
        content = ''
      }
      out.push(step)
    }
    return out
  }

  /** In a chat two markers come before the reasoning and one before the content. */
  #tokensOf(said: Texts): number {
    let [reasoning, content, tokens] = ['', '', 0]
    for (const step of this.#steps) {
      const marks = reasoning === '' ? 2 : 1
      if (step.reasoning !== '' && said.reasoning.startsWith(reasoning + step.reasoning)) {
        tokens += reasoning === '' ? 1 + marks : 1
      }
      if (step.content !== '' && said.content.startsWith(content + step.content)) {
        tokens += content === '' && reasoning !== '' ? 1 + marks : 1
      }
      reasoning += step.reasoning
      content += step.content
    }
    return tokens
  }
}

function stepOf(event: Buffer): Step {
  const { name, data } = readEvent(event)
  if (data === null) throw new Error('a recording has no comments')
  const json: unknown = data === '[DONE]' ? null : JSON.parse(data)
  const choice = at(json, 'choices', 0)
  const type = text(json, 'type')
  const reasoning =
    text(choice, 'delta', 'reasoning_content') +
    text(json, 'delta', 'thinking') +
    (type === 'response.reasoning_text.delta' ? text(json, 'delta') : '')
  const content =
    text(choice, 'delta', 'content') +
    text(choice, 'text') +
    text(json, 'delta', 'text') +
    (type === 'response.output_text.delta' ? text(json, 'delta') : '')
  return { name, data, reasoning, content, isClosing: closings.test(data) }
}

function saidIn(request: unknown): Texts {
  const prompt = text(request, 'prompt')
  if (prompt !== '') return { reasoning: '', content: prompt.slice(1) }
  const message = list(request, 'messages').at(-1)
  const parts = [...list(message, 'content'), ...list(request, 'input')]
  const partOf = (type: string): unknown => parts.find((part) => at(part, 'type') === type)
  if (at(message, 'role') === 'assistant' && parts.length === 0) {
    return { reasoning: text(message, 'reasoning_content'), content: text(message, 'content') }
  }
  return {
    reasoning:
      text(partOf('thinking'), 'thinking') + text(partOf('reasoning'), 'content', 0, 'text'),
    content: text(partOf('text'), 'text') + text(partOf('message'), 'content', 0, 'text'),
  }
}

function counted(data: string, used: number, fresh: number): string {
  return data
    .replaceAll(/"(completion_tokens|predicted_n)":\d+/g, `"$1":${fresh}`)
    .replaceAll(/"output_tokens":[1-9]\d*/g, `"output_tokens":${fresh}`)
    .replaceAll(/"(cached_tokens|cache_n|cache_read_input_tokens)":\d+/g, '"$1":0')
    .replaceAll(/"(prompt_tokens|input_tokens|prompt_n)":\d+/g, `"$1":${PROMPT_TOKENS + used}`)
    .replaceAll(/"total_tokens":\d+/g, `"total_tokens":${PROMPT_TOKENS + used + fresh}`)
}

function renamed(stream: string, answer: number): Buffer {
  return Buffer.from(
    stream
      .replaceAll(/(chatcmpl-|resp_|rs_|msg_)(?=\w{32})/g, `$1${answer}`)
      .replaceAll(/"created(\w*)":\d+/g, `"created$1":${1_700_000_000 + answer}`),
  )
}

/** One token more: the texts have it too, and the model may have meant to stop there. */
function withText(step: Step, last: Step, whole: string): Step {
  const lastText = last.reasoning + last.content
  const data =
    whole === ''
      ? step.data.replace(quoted(lastText), quoted(BEYOND))
      : step.data.replaceAll(quoted(whole), quoted(whole + BEYOND))
  return { ...step, data }
}

function beyond(step: Step): Step {
  const data = step.data
    .replace('"finish_reason":"length"', '"finish_reason":"stop"')
    .replace('"stop_reason":"max_tokens"', '"stop_reason":"end_turn"')
  return { ...step, data }
}

function delta(kind: 'thinking' | 'text', value: string, index: number): Step {
  const json = {
    type: 'content_block_delta',
    index,
    delta: { type: `${kind}_delta`, [kind]: value },
  }
  return { ...NO_TEXT, name: 'content_block_delta', data: JSON.stringify(json), isClosing: false }
}

const NO_TEXT: Texts = { reasoning: '', content: '' }

function quoted(value: string): string {
  return JSON.stringify(value)
}
