/** Which API a request speaks. Pure. */
import { pathOf } from './route.ts'

/**
 * The shapes of answers that the port knows. `native` is llama-server's own: it takes a slot as the
 * others do, but its streams are passed on as they are.
 */
export type Api = 'chat' | 'completions' | 'responses' | 'messages' | 'native'

/** The endpoints that take a slot of the engine (tools/server/server.cpp of v0.5.0). */
const apis: ReadonlyMap<string, Api> = new Map([
  ['/v1/chat/completions', 'chat'],
  ['/chat/completions', 'chat'],
  ['/v1/completions', 'completions'],
  ['/v1/responses', 'responses'],
  ['/responses', 'responses'],
  ['/v1/messages', 'messages'],
  ['/completion', 'native'],
  ['/completions', 'native'],
  ['/infill', 'native'],
])

/** `target` as it came: the engine decodes it, so another spelling takes a slot too. null: it takes none, and is never queued. */
export function apiOf(method: string, target: string): Api | null {
  if (method !== 'POST') return null
  return apis.get(target) ?? apis.get(pathOf(target) ?? '') ?? null
}
