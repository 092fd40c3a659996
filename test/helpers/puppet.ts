/** The test's end of the puppet engine: real processes that do only what the test says. */
import { createServer, type Server, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import type { Engine } from '../../src/engine.ts'
import { classifyExit } from '../../src/llama/classify-exit.ts'
import { readCounters } from '../../src/llama/counters.ts'
import { readLine } from '../../src/llama/log-lines.ts'
import { describeSlots } from '../../src/llama/slots.ts'
import { tempDir } from './temp-dir.ts'

/** Stands in for a `llama-server` file: `engine.path` of a config may be this. */
export const puppetFile: string = fileURLToPath(
  new URL('../fixtures/puppet-llama-server.mjs', import.meta.url),
)

/** How the puppet answers a path from now on. Without status, headers and chunks, `hold` sends nothing. */
export interface PuppetAnswer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** Each is with the operating system before the next is written. */
  readonly chunks?: readonly string[]
  /** `die` is SIGKILL to itself after the last chunk; `hold` leaves the answer open for the test. */
  readonly after?: 'end' | 'hold' | 'destroy' | 'die'
  /** So many requests, then the built-in answer again; without it, for good. */
  readonly times?: number
}

/** A request that the puppet got. Its methods drive an answer that is held open. */
export interface PuppetRequest {
  readonly method: string
  readonly url: string
  /** Only `set-cookie` is a list. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  /** Up to the first MiB, as UTF-8. */
  readonly body: string
  readonly bodyBytes: number
  readonly bodySha256: string
  /** False when the client went away within the upload. */
  readonly complete: boolean
  /** How its connection ended: `cut` when the answer was not complete. Dies with the puppet. */
  readonly closed: Promise<'answered' | 'cut'>
  head(status: number, headers?: Readonly<Record<string, string>>): Promise<void>
  write(text: string): Promise<void>
  end(): Promise<void>
  destroy(): Promise<void>
}

export interface PuppetControl extends AsyncDisposable {
  /** What `--puppet-control` takes. */
  readonly path: string
  /** The next process that starts, in the order of their starts. */
  next(): Promise<Puppet>
}

/** `await using puppets = await startPuppetControl()`; ends every puppet that is left. */
export async function startPuppetControl(): Promise<PuppetControl> {
  const dir = await tempDir()
  const path = dir.file('puppet.sock')
  const started = new Queue<Puppet>()
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    void new Puppet(socket, (puppet) => started.push(puppet))
  })
  await listen(server, path)
  return {
    path,
    next: () => started.next(),
    [Symbol.asyncDispose]: async () => {
      // Each puppet leaves when its control connection closes.
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
      await dir[Symbol.asyncDispose]()
    },
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
}

/** An Engine for the supervisor that starts puppets. */
export function puppetEngine(control: { readonly path: string }, socketPath: string): Engine {
  return {
    command: {
      file: process.execPath,
      args: [puppetFile, '--host', socketPath, '--puppet-control', control.path],
      env: { PATH: process.env['PATH'] ?? '', LLAMA_SERVER_ROUTER_PORT: '1' },
    },
    socketPath,
    readLine,
    classifyExit: (exit) =>
      classifyExit(exit, { file: puppetFile, modelPath: '/puppet/model.gguf', socketPath }),
    politeExitLine: 'cmd_router_to_child:exit',
    healthPath: '/health',
    canary: { path: '/v1/completions', json: { prompt: 'Hi', max_tokens: 1 } },
    countersPath: '/metrics',
    readCounters,
    slotsPath: '/slots',
    describeSlots,
  }
}

const textMap = z.record(z.string(), z.string())
const messageSchema = z.discriminatedUnion('event', [
  z.object({ event: z.literal('hello'), pid: z.number(), args: z.array(z.string()), env: textMap }),
  z.object({ event: z.literal('done'), command: z.number() }),
  z.object({
    event: z.literal('request'),
    request: z.number(),
    method: z.string(),
    url: z.string(),
    headers: z.record(z.string(), z.union([z.string(), z.array(z.string())])),
    body: z.string(),
    bodyBytes: z.number(),
    bodySha256: z.string(),
    complete: z.boolean(),
  }),
  z.object({
    event: z.literal('closed'),
    request: z.number(),
    how: z.enum(['answered', 'cut']),
  }),
  z.object({ event: z.literal('signal'), name: z.string() }),
  z.object({ event: z.literal('stdin'), line: z.string() }),
  z.object({ event: z.literal('stdin-end') }),
  z.object({ event: z.literal('listening') }),
  z.object({ event: z.literal('exiting'), code: z.number() }),
])

type Message = z.infer<typeof messageSchema>
type RequestMessage = Extract<Message, { event: 'request' }>

/** One puppet process. Every order resolves when the puppet has carried it out (or is dead). */
export class Puppet {
  /** Resolves when the process is gone. */
  readonly closed: Promise<void>
  /** Each request as it comes (health checks too). */
  readonly requests = new Queue<PuppetRequest>()
  /** `SIGTERM`, `SIGINT`: each as it comes. */
  readonly signals = new Queue<string>()
  /** Each line that it was sent on stdin. */
  readonly stdinLines = new Queue<string>()
  /** Resolves when its stdin ended. */
  readonly stdinEnded: Promise<void>
  /** Resolves when it listens on its socket. */
  readonly listening: Promise<void>
  pid = 0
  args: readonly string[] = []
  env: Readonly<Record<string, string>> = {}

  readonly #socket: Socket
  readonly #orders = new Map<number, () => void>()
  readonly #open = new Map<number, (how: 'answered' | 'cut') => void>()
  readonly #resolve: { stdinEnded?: () => void; listening?: () => void } = {}
  readonly #onHello: (puppet: Puppet) => void
  #lastOrder = 0

  constructor(socket: Socket, onHello: (puppet: Puppet) => void) {
    this.#socket = socket
    this.#onHello = onHello
    this.stdinEnded = new Promise((resolve) => {
      this.#resolve.stdinEnded = resolve
    })
    this.listening = new Promise((resolve) => {
      this.#resolve.listening = resolve
    })
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        for (const done of this.#orders.values()) done()
        for (const cut of this.#open.values()) cut('cut')
        resolve()
      })
    })
    socket.on('error', () => undefined)
    createInterface({ input: socket }).on('line', (line) => {
      this.#hear(messageSchema.parse(JSON.parse(line)))
    })
  }

  /** Prints one line. */
  say(text: string, stream: 'stdout' | 'stderr' = 'stderr'): Promise<void> {
    return this.print(`${text}\n`, stream)
  }

  /** Logs a line as the real one does: JSON on stdout. */
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string): Promise<void> {
    const line = { type: 'log', time: 1000, level, msg: `${message}\n` }
    return this.say(JSON.stringify(line), 'stdout')
  }

  /** Prints exactly `text`, without a line end. */
  print(text: string, stream: 'stdout' | 'stderr' = 'stderr'): Promise<void> {
    return this.#order({ do: 'print', stream, text })
  }

  /** Tells the load progress, 0 to 1, by the child protocol. */
  loadProgress(value: number): Promise<void> {
    return this.#order({ do: 'progress', value })
  }

  /** Tells load values between the two, every `everyMs` for `forMs`; resolves when that is over. */
  load(slowly: {
    readonly from: number
    readonly to: number
    readonly forMs: number
    readonly everyMs: number
  }): Promise<void> {
    return this.#order({ do: 'load', ...slowly })
  }

  /** The model is loaded: it says so, and answers instead of 503. `quiet`: it does not say so. */
  ready(options: { quiet?: boolean } = {}): Promise<void> {
    return this.#order({ do: 'ready', quiet: options.quiet ?? false })
  }

  /** From now on requests are reported and never answered. */
  hang(): Promise<void> {
    return this.#order({ do: 'hang' })
  }

  ignore(what: 'SIGTERM' | 'SIGINT' | 'stdin-end' | 'polite-exit'): Promise<void> {
    return this.#order({ do: 'ignore', what })
  }

  /** Sets the answer to requests for `path` (without the query). */
  answer(path: string, answer: PuppetAnswer): Promise<void> {
    return this.#order({ do: 'answer', path, answer })
  }

  async exit(code: number): Promise<void> {
    await this.#order({ do: 'exit', code })
    await this.closed
  }

  async die(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#order({ do: 'die', signal })
    await this.closed
  }

  /** The next request for `path`; earlier ones for other paths are dropped. */
  async onRequest(path: string): Promise<PuppetRequest> {
    for (;;) {
      const request = await this.requests.next()
      if (request.url.split('?')[0] === path) return request
    }
  }

  #order(order: Record<string, unknown>): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket.destroyed) return resolve()
      const id = (this.#lastOrder += 1)
      this.#orders.set(id, resolve)
      this.#socket.write(`${JSON.stringify({ ...order, id })}\n`)
    })
  }

  #hear(message: Message): void {
    switch (message.event) {
      case 'hello':
        this.pid = message.pid
        this.args = message.args
        this.env = message.env
        return this.#onHello(this)
      case 'done':
        return this.#orders.get(message.command)?.()
      case 'request':
        return this.requests.push(this.#request(message))
      case 'closed':
        return this.#open.get(message.request)?.(message.how)
      case 'signal':
        return this.signals.push(message.name)
      case 'stdin':
        return this.stdinLines.push(message.line)
      case 'stdin-end':
        return this.#resolve.stdinEnded?.()
      case 'listening':
        return this.#resolve.listening?.()
      case 'exiting':
    }
  }

  #request(message: RequestMessage): PuppetRequest {
    const { request } = message
    const closed = new Promise<'answered' | 'cut'>((resolve) => {
      this.#open.set(request, resolve)
    })
    return {
      ...message,
      closed,
      head: (status, headers = {}) => this.#order({ do: 'head', request, status, headers }),
      write: (text) => this.#order({ do: 'write', request, text }),
      end: () => this.#order({ do: 'end', request }),
      destroy: () => this.#order({ do: 'destroy', request }),
    }
  }
}

/** Values that come at their own time, taken one by one. */
class Queue<T> {
  readonly #values: T[] = []
  readonly #takers: ((value: T) => void)[] = []

  push(value: T): void {
    const taker = this.#takers.shift()
    if (taker === undefined) this.#values.push(value)
    else taker(value)
  }

  next(): Promise<T> {
    const value = this.#values.shift()
    if (value !== undefined) return Promise.resolve(value)
    return new Promise((resolve) => {
      this.#takers.push(resolve)
    })
  }

  /** What has come and was not taken. */
  get waiting(): readonly T[] {
    return this.#values
  }
}
