/** What the story of a stream needs to know of the API that tells it. Types only. */
import type { JsonObject } from './json.ts'
import type { Said } from './said.ts'
import type { Before } from './totals.ts'

export type Reading =
  /** Nothing the story depends on. */
  | { readonly kind: 'other' }
  /** The beginning of an answer, without any of its text. */
  | { readonly kind: 'opening' }
  /** Announces a part of the answer: the engine's next text belongs to it. */
  | { readonly kind: 'block'; readonly of: 'reasoning' | 'content' }
  /** Text; empty for a token that shows none. */
  | { readonly kind: 'delta'; readonly reasoning: string; readonly content: string }
  | { readonly kind: 'tool' }
  /** One of the events with which an answer ends, and after which no text comes. */
  | { readonly kind: 'closing' }
  /** The very last event. */
  | { readonly kind: 'end' }
  | { readonly kind: 'error'; readonly message: string }

/** Where an event of a later part comes to stand. */
export interface Joint {
  readonly said: Said
  /** null when nothing had been said before: the last part is the whole. */
  readonly before: Before | null
  /** The budget was used up: one token was asked for to learn the end, and is not passed on. */
  readonly isMute: boolean
}

/** A request to the engine whose answer tells how many tokens a prompt has. */
export interface EngineQuestion {
  readonly path: string
  readonly body: Buffer
}

/** One per stream: it remembers the names that the first part of the answer gave. */
export interface Dialect {
  read(json: JsonObject, name: string | null): Reading
  /** Takes the names out of an event of the first part. */
  note(json: JsonObject, reading: Reading): void
  /** The first part has begun to be told. */
  hasOpened(): boolean
  /** Changes an event of a later part into one of the first answer. False: it has no place there. */
  join(json: JsonObject, reading: Reading, joint: Joint): boolean
  /** Puts another text in place of the one that a delta brought. */
  setText(json: JsonObject, reasoning: string, content: string): void
  /** Usage and timings, where an event has them. */
  costs(json: JsonObject): { usage: JsonObject | null; timings: JsonObject | null }
  /** The engine repeats what it was given to go on with. */
  readonly repeatsSaid: boolean
  /** Why the answer to this request can never go on in another part; null when it can. */
  obstacle(request: JsonObject): string | null
  /** Why it cannot go on from here; null when it can. */
  obstacleAt(request: JsonObject, said: Said): string | null
  /** The same once it is known how many tokens the engine makes of what was said. */
  obstacleCounted(said: Said, generatedTokens: number): string | null
  /** The request for the rest, with the budget of the first. null: it cannot be written. */
  resumed(request: JsonObject, said: Said): JsonObject | null
  question(request: JsonObject): EngineQuestion
  /** What is missing after these closing events; null when that is not known. */
  missingEnd(closings: readonly JsonObject[], request: JsonObject): Buffer | null
  /** The names of the budget of tokens, the one that counts first. */
  readonly budgetFields: readonly string[]
  /** What counts when the request names no budget; null for no limit. */
  readonly defaultBudget: number | null
  readonly stopField: string
}
