/** What a client asks the engine: its request, read and made ready to be sent as often as needed. */
import { keepBody, type KeepOptions, type LargeBody, type WholeBody } from './kept-body.ts'
import type { ModelNames } from './aliases.ts'
import type { Api } from './api.ts'
import type { BodyFailure } from './admission/body-failure.ts'
import type { EngineRequest } from './engine-call.ts'
import type { Exchange } from './exchange.ts'
import { toEngine } from './headers.ts'
import { hasBody } from './has-body.ts'

export interface Asked extends EngineRequest {
  readonly api: Api | null
  /** The parsed body of one that asks for a stream of events; null for any other. */
  readonly streamRequest: unknown
  /** The model's name as the client gave it; null when there is none. */
  readonly model: string | null
  /** What it keeps in memory. */
  readonly keptBytes: number
}

export type Asking =
  | { readonly kind: 'asked'; readonly asked: Asked; readonly release: () => void }
  | BodyFailure
  | { readonly kind: 'over-budget'; readonly message: string; readonly hint: string }

/** A cheap look before the whole is parsed; within a JSON string a quote would be escaped. */
const asksForStream = /"stream"\s*:\s*true/

/** Reads the body, as far as it is kept. `release` is to be called when the request is over. */
export async function readAsked(
  { req, res, expectsContinue }: Exchange,
  api: Api | null,
  names: ModelNames,
  options: KeepOptions,
): Promise<Asking> {
  const { method = 'GET', url: path = '/', rawHeaders } = req
  const headers = toEngine(rawHeaders)
  const plain = { api, method, path, headers, streamRequest: null, model: null, keptBytes: 0 }
  if (!hasBody(req)) return { kind: 'asked', asked: { ...plain, body: null }, release: nothing }
  const kept = keepBody(req, options)
  if (expectsContinue && !kept.isRefused) res.writeContinue()
  const release = (): void => kept.release()
  const outcome = await kept.outcome
  if (outcome.kind === 'too-large')
    return { kind: 'asked', asked: { ...plain, body: outcome }, release }
  if (outcome.kind !== 'whole') {
    release()
    return outcome
  }
  const keptBytes = outcome.lengthBytes
  if (api === null) return { kind: 'asked', asked: { ...plain, keptBytes, body: outcome }, release }
  return {
    kind: 'asked',
    asked: { ...plain, keptBytes, ...understand(api, outcome, names) },
    release,
  }
}

function understand(
  api: Api,
  body: WholeBody,
  names: ModelNames,
): Pick<Asked, 'body' | 'model' | 'streamRequest'> {
  const [first] = body.pieces
  const whole = body.pieces.length === 1 && first !== undefined ? first : Buffer.concat(body.pieces)
  const named = names.apply(api, whole)
  const text = named.body.toString('utf8')
  return {
    // Untouched, it goes out as it came.
    body: named.body === whole ? body : wholeBody(named.body),
    model: named.model,
    streamRequest: asksForStream.test(text) ? parse(text) : null,
  }
}

export function wholeBody(bytes: Buffer): WholeBody {
  return { kind: 'whole', pieces: [bytes], lengthBytes: bytes.length }
}

/** A body that can only be sent once. */
export function isOnceOnly(body: WholeBody | LargeBody | null): boolean {
  return body?.kind === 'too-large'
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function nothing(): void {}
