/** Answers that come from oss20bd itself and not from the engine. Pure. */
import type { Upstream } from './upstream.ts'

export interface OwnAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface OwnError {
  readonly status: number
  readonly code: string
  readonly message: string
  readonly hint?: string | undefined
  /** Whole seconds after which a new try makes sense. */
  readonly retryAfterS?: number
  /** Asking again would be wrong: client libraries of OpenAI and Anthropic heed it, and try again otherwise. */
  readonly isFinal?: boolean
}

/**
 * OpenAI's shape. `src` is inside `error`, because client libraries hand on that object and drop the rest:
 * it tells our errors from the engine's.
 */
export function ownError(error: OwnError): OwnAnswer {
  const retry = error.retryAfterS === undefined ? {} : { 'Retry-After': String(error.retryAfterS) }
  const final = error.isFinal === true ? { 'X-Should-Retry': 'false' } : {}
  return json(error.status, { error: errorObject(error) }, { ...retry, ...final })
}

/** `GET /health`: 200 only when a request would go straight through. */
export function healthAnswer(upstream: Upstream): OwnAnswer {
  switch (upstream.kind) {
    case 'ready':
      return json(200, { status: 'ok' })
    case 'pending':
      return json(503, { status: 'loading', message: upstream.message }, { 'Retry-After': '1' })
    case 'unavailable': {
      const { message, hint } = upstream
      return json(503, { status: 'unavailable', message, hint })
    }
  }
}

/** `GET /v1/models`: the same list whether the engine is up or not. */
export function modelsAnswer(models: readonly string[]): OwnAnswer {
  return json(200, { object: 'list', data: models.map(modelObject) })
}

/** `GET /v1/models/{id}`, the id decoded. */
export function modelAnswer(id: string, models: readonly string[]): OwnAnswer {
  if (models.includes(id)) return json(200, modelObject(id))
  return ownError({
    status: 404,
    code: 'model_not_found',
    message: `Cannot find the model ${JSON.stringify(id)}: it must be one of ${models.join(', ')}`,
  })
}

function modelObject(id: string): Record<string, string | number> {
  return { id, object: 'model', created: 0, owned_by: 'oss20bd' }
}

/** A browser asks first whether a page of `origin` (already judged) may send `requestedHeaders`. */
export function preflightAnswer(requestedHeaders: string | undefined, isOurs: boolean): OwnAnswer {
  const headers = {
    'Access-Control-Allow-Methods': isOurs ? 'GET, HEAD, OPTIONS' : 'GET, HEAD, POST, OPTIONS',
    'Access-Control-Allow-Headers': requestedHeaders ?? '*',
  }
  return { status: 204, headers, body: '' }
}

/** Our endpoints can only be read. */
export function readOnlyAnswer(method: string): OwnAnswer {
  const message = `Cannot ${method} here: the method must be GET or HEAD`
  const answer = ownError({ status: 405, code: 'method_not_allowed', message })
  return { ...answer, headers: { ...answer.headers, Allow: 'GET, HEAD, OPTIONS' } }
}

/** What a page of `origin` (already judged) needs to be let read an answer. */
export function readableBy(origin: string | undefined): Record<string, string> {
  return origin === undefined ? {} : { 'Access-Control-Allow-Origin': origin, Vary: 'Origin' }
}

function errorObject(error: OwnError): Record<string, string> {
  return {
    message: error.hint === undefined ? error.message : `${error.message} (${error.hint})`,
    type: typeOf(error.status),
    code: error.code,
    src: 'oss20bd',
  }
}

/** The engine's own words for the same statuses. */
function typeOf(status: number): string {
  if (status === 403) return 'permission_error'
  if (status === 404) return 'not_found_error'
  if (status === 501) return 'not_supported_error'
  if (status === 503) return 'unavailable_error'
  return status < 500 ? 'invalid_request_error' : 'server_error'
}

function json(status: number, value: unknown, headers: Record<string, string> = {}): OwnAnswer {
  const body = `${JSON.stringify(value)}\n`
  return {
    status,
    headers: { 'Content-Type': 'application/json; charset=utf-8', ...headers },
    body,
  }
}
