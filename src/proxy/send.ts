/** Writes an answer of our own to a client, or breaks one off so that it never looks whole. */
import { Socket } from 'node:net'
import { drain } from './drain.ts'
import type { Exchange } from './exchange.ts'
import { valuesOf } from './headers.ts'
import { type OwnAnswer, type OwnError, ownError, readableBy } from './own-answer.ts'

/** Answers and drains the rest of the request's body, so that the connection can be used again. */
export function sendOwn(exchange: Exchange, answer: OwnAnswer): void {
  const { req, res, expectsContinue } = exchange
  const length = answer.status === 204 ? {} : { 'Content-Length': Buffer.byteLength(answer.body) }
  // Whether a client that was never told to continue sends its body now is its choice: what follows is ambiguous.
  const close = expectsContinue && !req.complete ? { Connection: 'close' } : {}
  res.writeHead(answer.status, { ...answer.headers, ...length, ...close })
  res.end(req.method === 'HEAD' ? undefined : answer.body)
  drain(req)
}

/** Like `sendOwn`, readable also by a page whose origin was allowed. */
export function sendOwnReadable(exchange: Exchange, answer: OwnAnswer): void {
  const [origin] = valuesOf(exchange.req.rawHeaders, 'origin')
  sendOwn(exchange, { ...answer, headers: { ...answer.headers, ...readableBy(origin) } })
}

/** Only for requests that passed the access policy: it lets a page of an allowed origin read the reason. */
export function sendOwnError(exchange: Exchange, error: OwnError): void {
  sendOwnReadable(exchange, ownError(error))
}

/** Destroys the client's connection in the middle of an answer. */
export function breakOff(exchange: Exchange): void {
  const { socket } = exchange.req
  // Without a length or chunks (HTTP/1.0) a plain close is how a whole answer ends: only a reset tells.
  if (exchange.req.httpVersion === '1.0' && socket instanceof Socket) socket.resetAndDestroy()
  else socket.destroy()
}
