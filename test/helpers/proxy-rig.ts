/** A public port in front of a plain HTTP server on a unix socket, both doing only what the test says. */
import { once } from 'node:events'
import http from 'node:http'
import { connect, type Socket } from 'node:net'
import { type Clock, systemClock } from '../../src/clock.ts'
import { errnoOf } from '../../src/errors.ts'
import { createRequestLog } from '../../src/proxy/accounting/request-log.ts'
import { createModelNames } from '../../src/proxy/aliases.ts'
import type { ProxyServerOptions } from '../../src/proxy/proxy-options.ts'
import type { EngineAnswer } from '../../src/proxy/tries.ts'
import { createProxyServer, type ProxyServer } from '../../src/proxy/proxy-server.ts'
import type { Upstream, UpstreamSource } from '../../src/proxy/upstream.ts'
import { RecordingLogger } from './recording-logger.ts'
import { tempDir } from './temp-dir.ts'

export const rigLimits: ProxyServerOptions['limits'] = {
  keepBytes: 16 * 2 ** 20,
  heldBytes: 256 * 2 ** 20,
  bodyBytes: 100_000_000,
  uploadTimeoutMs: 30_000,
  headersTimeoutMs: 60_000,
  queued: 100,
  connections: 12_000,
}

/** An UpstreamSource that is what the test last set. */
export class ScriptedUpstream implements UpstreamSource {
  #now: Upstream
  #waiters = new Set<() => void>()

  constructor(now: Upstream) {
    this.#now = now
  }

  get waiters(): number {
    return this.#waiters.size
  }

  /** How often a waiting request asked for the engine. */
  wakes = 0

  current(): Upstream {
    return this.#now
  }

  wake(): void {
    this.wakes += 1
  }

  changed(signal: AbortSignal): Promise<void> {
    if (signal.aborted) {
      return Promise.reject(new DOMException('The operation was aborted', 'AbortError'))
    }
    return new Promise((resolve, reject) => {
      const wake = (): void => {
        this.#waiters.delete(wake)
        resolve()
      }
      this.#waiters.add(wake)
      signal.addEventListener(
        'abort',
        () => {
          this.#waiters.delete(wake)
          reject(new DOMException('The operation was aborted', 'AbortError'))
        },
        { once: true },
      )
    })
  }

  set(next: Upstream): void {
    this.#now = next
    for (const wake of this.#waiters) wake()
  }
}

export interface Rig extends AsyncDisposable {
  readonly proxy: ProxyServer
  readonly url: string
  readonly port: number
  /** Every answer of the engine that reached its client. */
  readonly answers: readonly EngineAnswer[]
  /** Each time the port became busy (true) or idle (false). */
  readonly busy: readonly boolean[]
  readonly upstream: ScriptedUpstream
  readonly log: RecordingLogger
  readonly socketPath: string
  readonly ready: ReadyUpstream
  /** Starts (again) a server on the engine's socket. */
  startEngine(handler: http.RequestListener): Promise<http.Server>
  /** A bare connection to the public port. */
  connect(): Promise<Socket>
  /** A request to the public port, not yet ended. */
  request(path: string, options?: http.RequestOptions): http.ClientRequest
}

type ReadyUpstream = Extract<Upstream, { kind: 'ready' }>
type PendingUpstream = Extract<Upstream, { kind: 'pending' }>

export const loading = (progress: number | null = null): PendingUpstream => ({
  kind: 'pending',
  message: 'the model is loading',
  progress,
})

/** `handler` answers at the engine's socket; without one there is no engine, and the upstream is pending. */
export async function startRig(
  handler?: http.RequestListener,
  changes: Partial<ProxyServerOptions> & { clock?: Clock } = {},
): Promise<Rig> {
  const dir = await tempDir()
  const socketPath = dir.file('e.sock')
  const ready: ReadyUpstream = { kind: 'ready', socketPath, runId: 1 }
  const upstream = new ScriptedUpstream(handler === undefined ? loading() : ready)
  const log = new RecordingLogger()
  const answers: EngineAnswer[] = []
  const busy: boolean[] = []
  const proxy = createProxyServer({
    host: '127.0.0.1',
    port: 0,
    names: createModelNames({ base: 'gpt-oss-20b', aliases: [] }),
    tokens: { check: () => ({ kind: 'open' }) },
    continueStreams: true,
    limits: rigLimits,
    requests: createRequestLog({ clock: systemClock }),
    page: () => false,
    isGuest: () => false,
    holdTimeoutMs: 10_000,
    allowedHosts: [],
    allowedOrigins: [],
    upstream,
    onAnswer: (answer) => answers.push(answer),
    onBusy: (isBusy) => busy.push(isBusy),
    clock: systemClock,
    log,
    findPortHolder: async () => null,
    ...changes,
  })
  const engines: http.Server[] = []
  const sockets: { destroy(): unknown }[] = []
  const startEngine = async (listener: http.RequestListener): Promise<http.Server> => {
    const server = http.createServer(listener)
    engines.push(server)
    server.listen(socketPath)
    await once(server, 'listening')
    return server
  }
  if (handler !== undefined) await startEngine(handler)
  const { url } = await proxy.listen()
  const port = Number(new URL(url).port)
  return {
    proxy,
    url,
    port,
    upstream,
    answers,
    busy,
    log,
    socketPath,
    ready,
    startEngine,
    connect: async () => {
      const socket = connect(port, '127.0.0.1')
      sockets.push(socket)
      socket.on('error', () => {})
      await once(socket, 'connect')
      return socket
    },
    request: (path, options = {}) => {
      const request = http.request({ host: '127.0.0.1', port, path, agent: false, ...options })
      sockets.push(request)
      request.on('error', () => {})
      return request
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      for (const engine of engines) engine.closeAllConnections()
      await proxy.close()
      await Promise.all(engines.map((engine) => new Promise((done) => engine.close(done))))
      await dir[Symbol.asyncDispose]()
    },
  }
}

export interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
  /** False when the connection ended before the answer did. */
  readonly whole: boolean
}

/** Sends `body` and resolves to the answer, whole or cut off. Rejects when there is none at all. */
export async function answerOf(
  request: http.ClientRequest,
  body?: string | Buffer,
): Promise<Answer> {
  const response = responseOf(request)
  request.end(body)
  return readAnswer(await response)
}

/** The head of the answer; rejects when there is none. */
export function responseOf(request: http.ClientRequest): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve)
    request.once('error', reject)
  })
}

/** The next bytes of a stream. */
export function chunkOf(stream: NodeJS.ReadableStream): Promise<Buffer> {
  return new Promise((resolve) => {
    stream.once('data', resolve)
  })
}

/** The errno of the next error. */
export function failureOf(emitter: NodeJS.EventEmitter): Promise<string | undefined> {
  return new Promise((resolve) => {
    emitter.once('error', (error: unknown) => resolve(errnoOf(error)))
  })
}

/** The whole body of a request. */
export async function bodyOf(req: http.IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  req.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(req, 'end')
  return Buffer.concat(chunks)
}

export async function readAnswer(response: http.IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = []
  response.on('data', (chunk: Buffer) => chunks.push(chunk))
  response.on('error', () => {})
  await new Promise((resolve) => response.once('close', resolve))
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    rawHeaders: response.rawHeaders,
    body: Buffer.concat(chunks),
    whole: response.complete,
  }
}

interface ErrorObject {
  readonly message?: unknown
  readonly code?: unknown
  readonly src?: unknown
}

/** The error object of an answer in OpenAI's shape. */
export function errorOf(answer: Answer): ErrorObject {
  const body: { error: ErrorObject } = JSON.parse(answer.body.toString())
  return body.error
}

/** Lets the event loop turn until `condition` holds; the test's own time limit ends it otherwise. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve)
    })
  }
}

export function portOf(server: http.Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('it listens on no port')
  return address.port
}
