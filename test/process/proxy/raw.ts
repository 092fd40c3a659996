/** Both ends of the port as bytes: a client that sends what no library would, and an engine that takes nothing amiss. */
import { once } from 'node:events'
import net, { type Socket } from 'node:net'
import type { Rig } from '../../helpers/proxy-rig.ts'

export interface RawAnswer {
  readonly status: number
  /** Everything up to the blank line. */
  readonly head: string
  /** Names in lower case; the last of each. */
  readonly headers: ReadonlyMap<string, string>
  /** Without the framing of chunks. */
  readonly body: string
}

/** A connection to the port that reads its answers one after the other. */
export class RawClient {
  readonly socket: Socket
  #bytes = ''
  #wake: () => void = () => undefined
  closed = false

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#bytes += chunk.toString('latin1')
      this.#wake()
    })
    socket.once('close', () => {
      this.closed = true
      this.#wake()
    })
  }

  send(bytes: string | Buffer): this {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
    return this
  }

  /** The next answer, interim ones too; null when the connection ends without one. */
  async answer(method = 'GET'): Promise<RawAnswer | null> {
    for (;;) {
      const taken = takeAnswer(this.#bytes, method, this.closed)
      if (taken !== null) {
        this.#bytes = this.#bytes.slice(taken.length)
        return taken.answer
      }
      if (this.closed) return null
      await this.#more()
    }
  }

  /** Everything until the connection ends. */
  async rest(): Promise<string> {
    while (!this.closed) await this.#more()
    return this.#bytes
  }

  /** Something came that was not yet taken as an answer, or nothing more will. */
  get isTold(): boolean {
    return this.closed || this.#bytes !== ''
  }

  /** The first byte of an answer, or the end. */
  async anything(): Promise<void> {
    while (!this.isTold) await this.#more()
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }
}

export async function rawClient(rig: Pick<Rig, 'connect'>): Promise<RawClient> {
  return new RawClient(await rig.connect())
}

/** What a client gets that sends these bytes and then waits. */
export async function rawAnswer(
  rig: Pick<Rig, 'connect'>,
  bytes: string | Buffer,
  method?: string,
): Promise<RawAnswer | null> {
  const client = await rawClient(rig)
  const answer = await client.send(bytes).answer(method)
  client.socket.destroy()
  return answer
}

/** A request with `Host: localhost` and these further lines. */
export function requestText(line: string, headers: readonly string[] = [], body = ''): string {
  const lines = [`${line} HTTP/1.1`, 'Host: localhost', ...headers]
  return `${lines.join('\r\n')}\r\n\r\n${body}`
}

/** With its length. */
export function postText(target: string, body = '{}', headers: readonly string[] = []): string {
  return requestText(`POST ${target}`, [...headers, `Content-Length: ${body.length}`], body)
}

/** The code of an error of ours; undefined for any other body. */
export function codeOf(answer: RawAnswer | null): string | undefined {
  const found = /"code":"([a-z_]+)","src":"oss20bd"/.exec(answer?.body ?? '')
  return found?.[1]
}

function takeAnswer(
  bytes: string,
  method: string,
  isOver: boolean,
): { answer: RawAnswer; length: number } | null {
  const end = bytes.indexOf('\r\n\r\n')
  if (end === -1) return null
  const head = bytes.slice(0, end)
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? Number.NaN)
  const headers = headersOf(head)
  const at = end + 4
  const whole = (body: string, length: number) => ({
    answer: { status, head, headers, body },
    length: at + length,
  })
  if (method === 'HEAD' || status === 204 || status < 200) return whole('', 0)
  const length = headers.get('content-length')
  if (length !== undefined) {
    const size = Number(length)
    return bytes.length < at + size ? null : whole(bytes.slice(at, at + size), size)
  }
  if (headers.get('transfer-encoding') === 'chunked') {
    const chunks = takeChunks(bytes, at)
    return chunks === null ? null : whole(chunks.body, chunks.end - at)
  }
  return isOver ? whole(bytes.slice(at), bytes.length - at) : null
}

function headersOf(head: string): Map<string, string> {
  const headers = new Map<string, string>()
  for (const line of head.split('\r\n').slice(1)) {
    const colon = line.indexOf(':')
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim())
  }
  return headers
}

/** `end`: behind the last chunk, which has no trailers. null: not all of it is here. */
function takeChunks(bytes: string, from: number): { body: string; end: number } | null {
  let body = ''
  for (let at = from; ;) {
    const lineEnd = bytes.indexOf('\r\n', at)
    if (lineEnd === -1) return null
    const line = bytes.slice(at, lineEnd)
    if (!/^[0-9a-f]+$/i.test(line)) throw new Error(`no size of a chunk: ${JSON.stringify(line)}`)
    const size = Number.parseInt(line, 16)
    const start = lineEnd + 2
    if (bytes.length < start + size + 2) return null
    if (bytes.slice(start + size, start + size + 2) !== '\r\n') throw new Error('a chunk too long')
    body += bytes.slice(start, start + size)
    at = start + size + 2
    if (size === 0) return { body, end: at }
  }
}

interface SeenRequest {
  readonly method: string
  readonly target: string
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

export interface StrictEngine extends AsyncDisposable {
  /** What came, in order. */
  readonly seen: SeenRequest[]
  /** What no engine should ever get. */
  readonly faults: string[]
}

/**
 * An engine that reads by the letter of the RFC, takes nothing that two servers could read in two ways, and
 * answers each request with its method, target and body.
 */
export async function startStrictEngine(rig: Rig): Promise<StrictEngine> {
  const seen: SeenRequest[] = []
  const faults: string[] = []
  const sockets = new Set<Socket>()
  const server = net.createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => {})
    serve(socket, seen, faults)
  })
  server.listen(rig.socketPath)
  await once(server, 'listening')
  rig.upstream.set(rig.ready)
  return {
    seen,
    faults,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((done) => server.close(done))
    },
  }
}

function serve(socket: Socket, seen: SeenRequest[], faults: string[]): void {
  let bytes = ''
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.toString('latin1')
    const taken = takeRequest(bytes)
    if (taken === null) return
    if (typeof taken === 'string') {
      faults.push(taken)
      return void socket.destroy()
    }
    bytes = bytes.slice(taken.length)
    if (bytes !== '') faults.push(`bytes behind a request: ${JSON.stringify(bytes.slice(0, 80))}`)
    seen.push(taken.request)
    const { method, target, body } = taken.request
    const text = `${method} ${target} ${body}`
    const head = `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\nKeep-Alive: timeout=5, max=100\r\n\r\n`
    socket.write(Buffer.from(method === 'HEAD' ? head : head + text, 'latin1'))
  })
}

/** null: not all of it is here. A text: why it is none. */
function takeRequest(bytes: string): { request: SeenRequest; length: number } | string | null {
  const end = bytes.indexOf('\r\n\r\n')
  if (end === -1) return null
  const [first = '', ...lines] = bytes.slice(0, end).split('\r\n')
  const [, method, target] = /^([A-Z-]+) (\/[\x21-\x7e\x80-\xff]*) HTTP\/1\.1$/.exec(first) ?? []
  if (method === undefined || target === undefined) {
    return `no request line: ${JSON.stringify(first)}`
  }
  const headers = new Map<string, string>()
  for (const line of lines) {
    const [, name, value] =
      /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([\t\x20-\x7e\x80-\xff]*)$/.exec(line) ?? []
    if (name === undefined || value === undefined) return `no header: ${JSON.stringify(line)}`
    const key = name.toLowerCase()
    if (single.has(key) && headers.has(key)) return `two of ${key}`
    headers.set(key, value)
  }
  return takeBody(bytes, end + 4, { method, target, headers })
}

const single = new Set(['host', 'content-length', 'transfer-encoding', 'connection'])

function takeBody(
  bytes: string,
  at: number,
  head: Omit<SeenRequest, 'body'>,
): { request: SeenRequest; length: number } | string | null {
  const length = head.headers.get('content-length')
  const coding = head.headers.get('transfer-encoding')
  if (head.headers.get('host') !== 'localhost') return 'another host'
  if (length !== undefined && coding !== undefined) return 'a length and chunks'
  if (coding !== undefined && coding !== 'chunked') return `the coding ${coding}`
  if (coding !== undefined) {
    const chunks = takeChunks(bytes, at)
    return chunks === null ? null : { request: { ...head, body: chunks.body }, length: chunks.end }
  }
  if (length !== undefined && !/^\d+$/.test(length)) return `the length ${length}`
  const size = Number(length ?? 0)
  if (bytes.length < at + size) return null
  return { request: { ...head, body: bytes.slice(at, at + size) }, length: at + size }
}
