/** The names that the one model answers to, and what a name asks for. Pure. */
import type { Api } from './api.ts'
import {
  isObjectAt,
  type JsonObject,
  type MemberValue,
  readObject,
  textAt,
} from './json-members.ts'

type ReasoningEffort = 'low' | 'medium' | 'high'

const EFFORTS: readonly ReasoningEffort[] = ['low', 'medium', 'high']

interface AskedModel {
  /** The very same Buffer unless the name asked for something that must be said in the body. */
  readonly body: Buffer
  /** The name as the client gave it, cut short, whether known or not; null when there is none. */
  readonly model: string | null
}

export interface ModelNames {
  /** Every name, the plain one first. */
  readonly all: readonly string[]
  /**
   * Reads the model's name from a request body and puts what it asks for into it. Never throws: what is no
   * JSON object, or names no model of ours, passes as it is (the engine has one model and ignores the name).
   */
  apply(api: Api, body: Buffer): AskedModel
}

export interface ModelNamesOptions {
  /** `model.alias`. */
  readonly base: string
  /** `proxy.aliases`: `NAME` is one more name, `NAME=low` one that sets the reasoning effort. The last of a name wins. */
  readonly aliases: readonly string[]
}

/** A longer name is none of ours, and a record keeps no more of it. */
const MAX_NAME_BYTES = 400
const MAX_SHOWN_CHARACTERS = 80

const EFFORT = 'reasoning_effort'
const KWARGS = 'chat_template_kwargs'
const WANTED: ReadonlySet<string> = new Set(['model', EFFORT, 'reasoning', KWARGS])
const WANTED_WITHIN: ReadonlySet<string> = new Set([EFFORT, 'effort'])

export function createModelNames({ base, aliases }: ModelNamesOptions): ModelNames {
  const efforts = new Map<string, ReasoningEffort | null>([[base, null]])
  for (const effort of EFFORTS) efforts.set(`${base}:${effort}`, effort)
  for (const alias of aliases) {
    const [name = '', written] = alias.split('=', 2)
    efforts.set(name, EFFORTS.find((effort) => effort === written) ?? null)
  }
  const apply = (api: Api, body: Buffer): AskedModel => {
    const request = readObject(body, WANTED)
    const asked = request?.members.get('model')
    if (request === null || asked === undefined) return { body, model: null }
    const name = textAt(body, asked, MAX_NAME_BYTES)
    if (name === null) return { body, model: null }
    const effort = efforts.get(name) ?? null
    const model = name.slice(0, MAX_SHOWN_CHARACTERS)
    return { body: effort === null ? body : withEffort(api, body, request, effort), model }
  }
  return {
    all: [...efforts.keys()],
    apply,
  }
}

/**
 * Says the effort where the engine (v0.5.0) reads it: `reasoning_effort` of a chat, `reasoning.effort` of
 * responses, `chat_template_kwargs.reasoning_effort` of messages. An effort that the request itself gives
 * in a place that the engine reads stays: it was meant for this one request.
 */
function withEffort(api: Api, body: Buffer, request: JsonObject, effort: ReasoningEffort): Buffer {
  const value = JSON.stringify(effort)
  const kwargs = within(body, request.members.get(KWARGS))
  if (api === 'messages') {
    if (isGiven(body, kwargs?.members.get(EFFORT))) return body
    return setWithin(body, request, { name: KWARGS, inner: EFFORT, value })
  }
  if (api !== 'chat' && api !== 'responses') return body
  const isSaid =
    isGiven(body, request.members.get(EFFORT)) || isGiven(body, kwargs?.members.get(EFFORT))
  if (isSaid) return body
  if (api === 'chat') return set(body, request, EFFORT, value)
  const reasoning = within(body, request.members.get('reasoning'))
  if (isGiven(body, reasoning?.members.get('effort'))) return body
  return setWithin(body, request, { name: 'reasoning', inner: 'effort', value })
}

/** The engine takes null and an empty text as nothing said. */
function isGiven(body: Buffer, value: MemberValue | undefined): boolean {
  return value !== undefined && !['null', '""'].includes(rawAt(body, value))
}

function rawAt(body: Buffer, { start, end }: MemberValue): string {
  return end - start > 4 ? '' : body.toString('latin1', start, end)
}

function within(body: Buffer, value: MemberValue | undefined): JsonObject | null {
  if (value === undefined || !isObjectAt(body, value)) return null
  return readObject(body, WANTED_WITHIN, value)
}

/** Sets a member of an object that is a member of the request itself. */
function setWithin(
  body: Buffer,
  request: JsonObject,
  { name, inner, value }: { name: string; inner: string; value: string },
): Buffer {
  const outer = request.members.get(name)
  const object = within(body, outer)
  if (object !== null) return set(body, object, inner, value)
  // Something else in its place is for the engine to refuse.
  if (outer !== undefined && isGiven(body, outer)) return body
  return set(body, request, name, `{${JSON.stringify(inner)}:${value}}`)
}

/** Replaces the value of a member, or puts the member first; every other byte stays. */
function set(body: Buffer, object: JsonObject, name: string, value: string): Buffer {
  const member = object.members.get(name)
  if (member !== undefined) return splice(body, member, value)
  const comma = object.isEmpty ? '' : ','
  const at = { start: object.inside, end: object.inside }
  return splice(body, at, `${JSON.stringify(name)}:${value}${comma}`)
}

function splice(body: Buffer, { start, end }: MemberValue, text: string): Buffer {
  return Buffer.concat([body.subarray(0, start), Buffer.from(text), body.subarray(end)])
}
