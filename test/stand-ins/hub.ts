/** Stands in for a model hub and its file server: serves one file well, or in one of the ways in which servers go wrong. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Certificate } from '../helpers/certificate.ts'

/** What was asked, in the order in which it came. */
interface HubRequest {
  readonly path: string
  readonly range: string | undefined
  readonly ifRange: string | undefined
  readonly authorization: string | undefined
}

/** One request as a test sees it; `count` is 1 for the first. */
export interface HubCall extends HubRequest {
  readonly count: number
  /** The range that is asked for; null for all of the file. */
  readonly asked: readonly [start: number, end: number] | null
  /** It asks for the first bytes only, to learn what the file is. */
  readonly isLook: boolean
  readonly response: ServerResponse
  /** Answers as a good file server does. */
  serve(change?: Partial<ServeOptions>): void
}

interface ServeOptions {
  readonly content: Buffer
  readonly etag: string | null
  /** Breaks the connection after so many bytes of this answer. */
  readonly breakAfter: number
  /** Sends so many bytes of this answer, then nothing more. */
  readonly hangAfter: number
  readonly ranges: boolean
}

export interface Hub extends AsyncDisposable {
  readonly origin: string
  readonly requests: readonly HubRequest[]
  /** The ranges asked for, without the looks. */
  ranges(): string[]
}

/** `answer` says what follows; the file is `content` with the ETag `"v1"`. It speaks TLS when it has a certificate. */
export async function startHub(
  content: Buffer,
  answer: (call: HubCall) => void,
  certificate: Certificate | null = null,
): Promise<Hub> {
  const requests: HubRequest[] = []
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    const asked = requestOf(request)
    requests.push(asked)
    const range = rangeOf(asked.range)
    const defaults = {
      content,
      etag: '"v1"',
      breakAfter: Infinity,
      hangAfter: Infinity,
      ranges: true,
    }
    answer({
      ...asked,
      count: requests.length,
      asked: range,
      isLook: isLook(asked),
      response,
      serve: (change = {}) => serve(response, asked, { ...defaults, ...change }),
    })
  }
  const server =
    certificate === null ? createServer(listener) : createTlsServer(certificate, listener)
  const origin = await listen(server)
  return {
    origin: certificate === null ? origin : origin.replace('http:', 'https:'),
    requests,
    ranges: () =>
      requests.filter((one) => !isLook(one)).map(({ range }) => range?.slice(6) ?? 'all'),
    [Symbol.asyncDispose]: () => close(server),
  }
}

export async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return `http://127.0.0.1:${address.port}`
}

export async function close(server: Server): Promise<void> {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
}

export function sha256Of(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function requestOf({ url = '', headers }: IncomingMessage): HubRequest {
  return {
    path: url,
    range: headers.range,
    ifRange: typeof headers['if-range'] === 'string' ? headers['if-range'] : undefined,
    authorization: headers.authorization,
  }
}

function rangeOf(range: string | undefined): readonly [number, number] | null {
  const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? []
  return start === undefined || end === undefined ? null : [Number(start), Number(end) + 1]
}

function isLook({ range }: HubRequest): boolean {
  return range === 'bytes=0-63'
}

function serve(response: ServerResponse, asked: HubRequest, options: ServeOptions): void {
  const { content, etag } = options
  const range = options.ranges ? rangeOf(asked.range) : null
  const stale = asked.ifRange !== undefined && asked.ifRange !== etag
  const [start, wanted] = range === null || stale ? [0, content.length] : range
  const end = Math.min(wanted, content.length)
  const partial = range !== null && !stale
  response.writeHead(partial ? 206 : 200, {
    'content-length': end - start,
    ...(etag === null ? {} : { etag }),
    ...(partial ? { 'content-range': `bytes ${start}-${end - 1}/${content.length}` } : {}),
  })
  send(response, content.subarray(start, end), options)
}

function send(
  response: ServerResponse,
  body: Buffer,
  { breakAfter, hangAfter }: ServeOptions,
): void {
  const limit = Math.min(breakAfter, hangAfter)
  if (body.length <= limit) response.end(body)
  // The callback comes when the bytes have left: only then is it sure that they arrive before the break.
  else if (breakAfter <= hangAfter)
    response.write(body.subarray(0, limit), () => response.destroy())
  else response.write(body.subarray(0, limit))
}
