/** Reads the head of an engine's answer, and how its body is framed. Pure. */
import { NOT_IN_VALUE, type RawHeaders, TOKEN, valuesOf } from './headers.ts'

export interface AnswerHead {
  readonly status: number
  readonly statusMessage: string
  /** Order, case and duplicates as the engine wrote them. */
  readonly rawHeaders: RawHeaders
  readonly framing: Framing
  /** How long the engine promises to hold the connection for another request; 0 when it promises nothing. */
  readonly keepAliveMs: number
}

/** How the end of the body is found. */
export type Framing =
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  /** Neither was said: it ends where the connection does. */
  | { readonly kind: 'to-close' }

/** Not trim(): that takes more than HTTP means. */
const PADDING = /^[\t ]+|[\t ]+$/g
const STATUS_LINE = /^HTTP\/1\.1 ([1-9]\d\d)(?: (.*))?$/

/** The head, given without its final empty line, of an answer to a request with `method`; or why it is none. */
export function parseHead(text: string, method: string): AnswerHead | string {
  const [statusLine = '', ...lines] = text.split('\r\n')
  const [, code, statusMessage = ''] = STATUS_LINE.exec(statusLine) ?? []
  if (code === undefined || NOT_IN_VALUE.test(statusMessage)) {
    return 'the answer does not begin as HTTP/1.1'
  }
  const status = Number(code)
  if (status === 101) return 'the answer changes to another protocol'
  const rawHeaders: string[] = []
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, Math.max(colon, 0))
    const value = line.slice(colon + 1).replace(PADDING, '')
    if (!TOKEN.test(name) || NOT_IN_VALUE.test(value)) return 'the answer has a malformed header'
    rawHeaders.push(name, value)
  }
  const framing = framingOf(rawHeaders, method === 'HEAD' || status === 204 || status === 304)
  if (typeof framing === 'string') return framing
  return { status, statusMessage, rawHeaders, framing, keepAliveMs: keepAliveMsOf(rawHeaders) }
}

function keepAliveMsOf(raw: RawHeaders): number {
  if (valuesOf(raw, 'connection').some((value) => value.toLowerCase() !== 'keep-alive')) return 0
  const [, seconds = '0'] = /^timeout=(\d{1,4})\b/i.exec(valuesOf(raw, 'keep-alive')[0] ?? '') ?? []
  return Number(seconds) * 1000
}

/** How the body is framed, or why nobody can be sure. */
function framingOf(raw: RawHeaders, hasNoBody: boolean): Framing | string {
  const lengths = valuesOf(raw, 'content-length')
  const codings = valuesOf(raw, 'transfer-encoding')
  if (lengths.length + codings.length > 1) return 'the answer says more than once how long it is'
  const [length] = lengths
  const [coding] = codings
  if (length !== undefined && !/^\d{1,15}$/.test(length)) return 'the answer has a malformed length'
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') {
    return 'the answer has an unknown Transfer-Encoding'
  }
  if (hasNoBody) return { kind: 'length', bytes: 0 }
  if (coding !== undefined) return { kind: 'chunked' }
  return length === undefined ? { kind: 'to-close' } : { kind: 'length', bytes: Number(length) }
}
