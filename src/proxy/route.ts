/** What a request is for: an answer of our own, the engine, or nothing we serve. Pure. */
import { type RawHeaders, valuesOf } from './headers.ts'

export type Route =
  | { readonly kind: 'health' }
  | { readonly kind: 'models' }
  | { readonly kind: 'model'; readonly id: string }
  /** Kept for the daemon itself: metrics and the dashboard. */
  | { readonly kind: 'page'; readonly path: string }
  | { readonly kind: 'engine' }
  /** Ollama's own API, which is another one. */
  | { readonly kind: 'ollama'; readonly path: string }
  /** The engine has it, and it is not for apps. */
  | { readonly kind: 'closed'; readonly method: string; readonly path: string }
  | { readonly kind: 'refused'; readonly status: 400 | 501; readonly message: string }

/** `target` is the request target as it came (`req.url`). */
export function routeOf(method: string, target: string, raw: RawHeaders): Route {
  const path = pathOf(target)
  if (path === null) {
    return refused(400, 'Cannot read the request target: it must be a path from / without .. in it')
  }
  return unsupported(raw) ?? routeOfPath(method, path)
}

/** They change the engine's state or read files (tools/server/server.cpp of v0.5.0). */
const closedPaths =
  /^\/(?:slots\/|lora-adapters$|tools(?:\/|$)|cors-proxy|models\/(?:load|unload|sse)$|(?:v1\/)?streams?(?:\/|$)|(?:v1\/)?chat\/completions\/control$)/

function isClosed(method: string, path: string): boolean {
  if (closedPaths.test(path)) return true
  const changes = method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS'
  return changes && /^\/(?:props|models|v1\/models)(?:\/|$)/.test(path)
}

function routeOfPath(method: string, path: string): Route {
  // The engine has both spellings of each; the daemon answers, so that neither waits for the engine.
  if (path === '/health' || path === '/v1/health') return { kind: 'health' }
  if (isClosed(method, path)) return { kind: 'closed', method, path }
  if (path === '/v1/models' || path === '/models') return { kind: 'models' }
  const [, id] = /^\/(?:v1\/)?models\/(.+)$/.exec(path) ?? []
  if (id !== undefined) return { kind: 'model', id }
  if (path === '/metrics' || path === '/oss20bd' || path.startsWith('/oss20bd/')) {
    return { kind: 'page', path }
  }
  if (path.startsWith('/api/')) return { kind: 'ollama', path }
  return { kind: 'engine' }
}

/** What is its own decoded path, as nearly all are. */
const PLAIN = /^\/[\w/-]*$/

/** The decoded path (the engine decodes too, so `/%6detrics` is `/metrics`), or `null` when it is not plain. */
export function pathOf(target: string): string | null {
  if (PLAIN.test(target)) return target
  if (!target.startsWith('/')) return null
  const encoded = target.split(/[?#]/, 1)[0] ?? ''
  try {
    const path = decodeURIComponent(encoded)
    return path.split(/[/\\]/).includes('..') ? null : path
  } catch {
    return null
  }
}

function unsupported(raw: RawHeaders): Route | null {
  // Plain HTTP clients offer `h2c` with every request and mean "or go on as we are"; other protocols mean it.
  const upgrades = valuesOf(raw, 'upgrade').flatMap(listOf)
  if (upgrades.some((protocol) => protocol !== 'h2c')) {
    return refused(501, `Cannot change to ${upgrades.join(', ')}: the protocol must be HTTP`)
  }
  const codings = valuesOf(raw, 'transfer-encoding').map((value) => value.trim().toLowerCase())
  // Neither twice nor an empty one beside a length: two servers may read such a body in two ways.
  if (codings.length > 0 && codings.join() !== 'chunked') {
    return refused(501, 'Cannot read the body: its Transfer-Encoding must be chunked')
  }
  return null
}

function listOf(value: string): string[] {
  return value
    .split(',')
    .map((item) => item.trim().toLowerCase())
    .filter((item) => item !== '')
}

function refused(status: 400 | 501, message: string): Route {
  return { kind: 'refused', status, message }
}
