/** What the public port can give away, so that its clients do not notice that its process ends. */
import type { IncomingMessage } from 'node:http'
import type { Server, Socket } from 'node:net'
import type { WholeBody } from './kept-body.ts'

/** Another process, which goes on where this one ends. */
export interface PortTaker {
  /** Resolves when it accepts connections too. Rejects when it does not: then nothing has changed. */
  takeListener(server: Server): Promise<void>
  /** Takes one after the other; what `give` says in its turn is taken, null is nothing. */
  takeConnection(give: () => Given | null): void
  /** Resolves when it has all that it was to take. Never rejects. */
  hasAll(): Promise<void>
}

export interface Given {
  readonly socket: Socket
  /** What its client has sent of a request that nobody has answered. */
  readonly sent: Buffer
}

/** How long its body is, and in which form it comes, changes when it has been read; `100 Continue` has been sent. */
const changed = new Set(['content-length', 'transfer-encoding', 'trailer', 'expect'])

/** The request as bytes that another server can read: everything that it held, its token too. Pure. */
export function requestBytes(
  { method = 'GET', url = '/', rawHeaders }: IncomingMessage,
  body: WholeBody | null,
): Buffer {
  const lines = [`${method} ${url} HTTP/1.1`]
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    if (!changed.has(name.toLowerCase())) lines.push(`${name}: ${rawHeaders[index + 1] ?? ''}`)
  }
  if (body !== null) lines.push(`Content-Length: ${body.lengthBytes}`)
  // Node reads the head of a request as latin1.
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  return Buffer.concat([head, ...(body?.pieces ?? [])])
}

/**
 * Leaves what its client sends from now on to whoever gets the socket. Node goes on reading from a socket that it sends to
 * another process until that has it, and drops what it reads; nothing public stops it, as http reads past the stream.
 */
export function stopReading(socket: Socket): void {
  const handle: unknown = Reflect.get(socket, '_handle')
  if (isReader(handle)) handle.readStop()
}

function isReader(handle: unknown): handle is { readStop(): unknown } {
  return (
    typeof handle === 'object' &&
    handle !== null &&
    'readStop' in handle &&
    typeof handle.readStop === 'function'
  )
}
