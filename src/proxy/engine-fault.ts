/** Errors of the engine that say more about the engine, or about chance, than about the request. Pure. */
import { errorKind } from './stream/engine-error.ts'

export type EngineFault = 'malformed-harmony' | 'compute-error'

/** `body` is the JSON of an answer with status 500; null for every other error, which is the client's to know. */
export function faultOf(body: string): EngineFault | null {
  const kind = errorKind(messageIn(body) ?? '')
  return kind === 'other' ? null : kind
}

function messageIn(body: string): string | null {
  try {
    const value: unknown = JSON.parse(body)
    if (typeof value !== 'object' || value === null || !('error' in value)) return null
    const { error } = value
    if (typeof error !== 'object' || error === null || !('message' in error)) return null
    return typeof error.message === 'string' ? error.message : null
  } catch {
    return null
  }
}
