/** Tells a client whose bytes never became a request of ours what is wrong with them. */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { errnoOf } from '../errors.ts'
import { formatDuration } from '../units.ts'
import { ownError, type OwnError } from './own-answer.ts'

/** For the server's `clientError`. */
export function answerUnreadable(error: Error, socket: Duplex, headersTimeoutMs: number): void {
  // After bytes of an answer on this connection a second status line would become part of it.
  const begun = 'bytesWritten' in socket && socket.bytesWritten !== 0
  if (errnoOf(error) === 'ECONNRESET' || !socket.writable || begun) {
    socket.destroy()
    return
  }
  writeLast(socket, unreadable(errnoOf(error), headersTimeoutMs))
}

/** For the server's `connect`. */
export function refuseTunnel(_req: IncomingMessage, socket: Duplex): void {
  writeLast(socket, {
    status: 501,
    code: 'not_supported',
    message: 'Cannot open a tunnel: oss20bd answers requests for its own models only',
  })
}

function unreadable(errno: string | undefined, headersTimeoutMs: number): OwnError {
  if (errno === 'HPE_HEADER_OVERFLOW') {
    const message = 'Cannot read the request: its headers are over 16 KiB'
    return { status: 431, code: 'headers_too_large', message }
  }
  if (errno === 'ERR_HTTP_REQUEST_TIMEOUT') {
    const message = `Cannot read the request: its headers took over ${formatDuration(headersTimeoutMs)}`
    return { status: 408, code: 'headers_too_slow', message }
  }
  const message = `Cannot read the request: it is not HTTP/1.1 (${errno ?? 'unknown fault'})`
  return { status: 400, code: 'bad_request', message }
}

function writeLast(socket: Duplex, error: OwnError): void {
  const answer = ownError(error)
  const head = [
    `HTTP/1.1 ${answer.status} Refused`,
    ...Object.entries(answer.headers).map(([name, value]) => `${name}: ${value}`),
    `Content-Length: ${Buffer.byteLength(answer.body)}`,
    'Connection: close',
  ]
  socket.on('error', () => socket.destroy())
  socket.end(`${head.join('\r\n')}\r\n\r\n${answer.body}`, () => socket.destroy())
}
