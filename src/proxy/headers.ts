/** Which headers cross the proxy, in either direction. Pure. */

/** Headers as node:http's `rawHeaders` has them: name, value, name, value; order, case and duplicates kept. */
export type RawHeaders = readonly string[]

/** They describe one connection, not the message (RFC 9110 7.6.1). */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/**
 * Never shown to the engine: what a client proves itself with, and the header that makes the engine
 * generate on for minutes after the client has gone. `Expect` is answered by the proxy itself.
 */
const NOT_FOR_ENGINE = new Set([
  'authorization',
  'api-key',
  'x-api-key',
  'cookie',
  'x-conversation-id',
  'expect',
  // How long the body is says whoever sends it.
  'content-length',
])

/** A client that names these in `Connection` wants the two servers to read one body differently. */
const NEVER_DROPPED = new Set(['content-length', 'host'])

/** What nearly every `Connection` says: it names no other header. */
const NAMES_NONE = /^\s*(keep-alive|close)?\s*$/i

/** The headers to send to the engine for a request with these headers, without any that frame its body. */
export function toEngine(raw: RawHeaders): string[] {
  const kept: string[] = []
  const dropped = hopByHop(raw)
  let hasHost = false
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] ?? ''
    const key = name.toLowerCase()
    if (dropped.has(key) || NOT_FOR_ENGINE.has(key) || (key === 'host' && hasHost)) continue
    if (key === 'host') hasHost = true
    kept.push(name, key === 'host' ? 'localhost' : (raw[index + 1] ?? ''))
  }
  if (!hasHost) kept.unshift('Host', 'localhost')
  return kept
}

/**
 * Which pages may read an answer is judged at the port. The engine lets all of them, and says so also where no
 * page asked: from there it could get into the cache of a browser, for any page to read.
 */
const CORS = 'access-control-'

/** The headers to send to the client for an answer with these headers. */
export function toClient(raw: RawHeaders): string[] {
  const kept: string[] = []
  const dropped = hopByHop(raw)
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] ?? ''
    const key = name.toLowerCase()
    if (!dropped.has(key) && !key.startsWith(CORS)) kept.push(name, raw[index + 1] ?? '')
  }
  return kept
}

export type RequestHead =
  | { readonly kind: 'written'; readonly text: string }
  | { readonly kind: 'refused'; readonly reason: string }

/** A method or the name of a header. */
export const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const NOT_IN_TARGET = /[^\x21-\xff]/
export const NOT_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/

/** The head of a request for the engine, to be sent as Latin-1; refuses what would read as another request. */
export function requestHead(method: string, target: string, headers: RawHeaders): RequestHead {
  if (!TOKEN.test(method)) return refused('the method')
  if (target === '' || NOT_IN_TARGET.test(target)) return refused('the target')
  let text = `${method} ${target} HTTP/1.1\r\n`
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index] ?? ''
    const value = headers[index + 1] ?? ''
    if (!TOKEN.test(name) || NOT_IN_VALUE.test(value)) return refused('a header')
    text += `${name}: ${value}\r\n`
  }
  return { kind: 'written', text: `${text}Connection: keep-alive\r\n\r\n` }
}

function refused(what: string): RequestHead {
  return { kind: 'refused', reason: `${what} has characters that HTTP does not allow` }
}

/** Every value of one header, in order; `name` in lower case. */
export function valuesOf(raw: RawHeaders, name: string): string[] {
  const values: string[] = []
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const other = raw[index] ?? ''
    // The length first: this runs several times for each request, and lower case costs a string.
    if (other.length === name.length && other.toLowerCase() === name) {
      values.push(raw[index + 1] ?? '')
    }
  }
  return values
}

function hopByHop(raw: RawHeaders): ReadonlySet<string> {
  const named = valuesOf(raw, 'connection').filter((value) => !NAMES_NONE.test(value))
  if (named.length === 0) return HOP_BY_HOP
  const names = new Set(HOP_BY_HOP)
  for (const value of named) {
    for (const name of value.split(',')) names.add(name.trim().toLowerCase())
  }
  for (const name of NEVER_DROPPED) names.delete(name)
  return names
}
