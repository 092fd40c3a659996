/** Answers the CLI on a unix socket: see control-protocol.ts. */
import { chmod, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import { fileError, messageOf } from '../errors.ts'
import type { RequestsAnswer } from '../request-record.ts'
import type { ControlVerb, Status } from './control-protocol.ts'

export interface ControlServerOptions {
  readonly socketPath: string
  readonly status: () => Promise<Status>
  /** Resolves at the next change of the status; rejects when `signal` aborts. */
  readonly changed: (signal: AbortSignal) => Promise<void>
  readonly act: (verb: ControlVerb) => void
  /** The open requests, and so many of those that are over. */
  readonly requests: (recent: number) => RequestsAnswer
  /** False when no open request has this id. */
  readonly cancel: (id: string) => boolean
  /** A one-time link to the dashboard with its buttons. */
  readonly dashboardLink: () => string
  /** Answers `/feed` and `/history` as the dashboard does. */
  readonly watch: (path: string, request: IncomingMessage, response: ServerResponse) => void
  /** Gives the public port away for the next daemon; takes it back when none has come after `limitMs`. */
  readonly handOver: (limitMs: number) => Promise<void>
}

export interface ControlServer {
  /** Ends the streams of events and removes the socket. */
  close(): Promise<void>
}

const verbs = new Set<string>(['start', 'restart', 'stop-engine', 'unload', 'load', 'shutdown'])

/** Listens, owner only. The caller holds the instance lock, so a socket that is there is stale. */
export async function startControlServer(options: ControlServerOptions): Promise<ControlServer> {
  const closing = new AbortController()
  const server = createServer((request, response) => {
    answer(options, request, response, closing.signal).catch((error: unknown) => {
      if (response.headersSent) response.destroy()
      else sendError(response, 500, messageOf(error))
    })
  })
  await listen(server, options.socketPath)
  return {
    close: async () => {
      closing.abort()
      server.close()
      server.closeIdleConnections()
      await once(server, 'close')
    },
  }
}

async function listen(server: Server, socketPath: string): Promise<void> {
  try {
    await rm(socketPath, { force: true })
    server.listen(socketPath)
    await once(server, 'listening')
    await chmod(socketPath, 0o600)
  } catch (error) {
    throw fileError('listen on the control socket', socketPath, error)
  }
}

async function answer(
  options: ControlServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
  closing: AbortSignal,
): Promise<void> {
  const { method } = request
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://control')
  if (method === 'GET' && pathname === '/status') return send(response, 200, await options.status())
  if (method === 'GET' && pathname === '/events') return streamEvents(options, response, closing)
  if (method === 'GET' && pathname === '/requests') {
    return send(response, 200, options.requests(recentOf(searchParams.get('recent'))))
  }
  if (method === 'GET' && (pathname === '/feed' || pathname === '/history')) {
    return options.watch(pathname, request, response)
  }
  if (method === 'POST' && pathname === '/cancel') {
    return send(response, 200, { cancelled: options.cancel(searchParams.get('id') ?? '') })
  }
  if (method === 'POST' && pathname === '/dashboard-link') {
    return send(response, 200, { url: options.dashboardLink() })
  }
  if (method === 'POST' && pathname === '/hand-over') {
    await options.handOver(limitOf(searchParams.get('limit-ms')))
    return send(response, 200, { handedOver: true })
  }
  const verb = pathname.slice(1)
  if (method === 'POST' && isVerb(verb)) {
    // The end of the daemon is the end of this connection: answer first.
    if (verb === 'shutdown') response.on('close', () => options.act(verb))
    else options.act(verb)
    return send(response, 202, await options.status())
  }
  return sendError(response, 404, `No such request: ${method} ${pathname}`)
}

/** More would hold up the event loop for the sake of a table that nobody reads. */
const maxRecent = 200

function recentOf(asked: string | null): number {
  const count = Number(asked ?? '20')
  return Number.isInteger(count) && count >= 0 ? Math.min(count, maxRecent) : 20
}

/** Some minutes for the next daemon to come up. */
const handOverLimitsMs = { least: 1000, usual: 300_000, most: 3_600_000 }

function limitOf(asked: string | null): number {
  const { least, usual, most } = handOverLimitsMs
  const limitMs = Number(asked ?? usual)
  return Number.isFinite(limitMs) ? Math.min(most, Math.max(least, limitMs)) : usual
}

function isVerb(text: string): text is ControlVerb {
  return verbs.has(text)
}

async function streamEvents(
  { status, changed }: ControlServerOptions,
  response: ServerResponse,
  closing: AbortSignal,
): Promise<void> {
  const gone = new AbortController()
  response.on('close', () => gone.abort())
  const signal = AbortSignal.any([gone.signal, closing])
  response.writeHead(200, { 'content-type': 'application/x-ndjson' })
  while (!signal.aborted) {
    // Asked for before the status is read, so that no change falls between.
    const next = changed(signal).catch(() => undefined)
    // Only the latest status matters: a reader that is behind gets no backlog.
    if (!response.writableNeedDrain) response.write(`${JSON.stringify(await status())}\n`)
    await next
  }
  response.end()
}

function send(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}

function sendError(response: ServerResponse, code: number, message: string): void {
  send(response, code, { error: { message, hint: null } })
}
