/**
 * Further ports, where apps expect a model server by habit (LM Studio's 1234, llama-server's 8080, Ollama's 11434). Each
 * only hands its connections to the public port, which judges, limits and answers them as its own. One that is taken
 * harms nothing: it is told, and tried again.
 */
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import type { Clock } from '../clock.ts'
import { messageOf, Oss20bdError } from '../errors.ts'
import type { WriteJournal } from '../journal.ts'
import { type FindPortHolder, listenOn } from './listen.ts'

export interface SidePortsOptions {
  /** The address of the public port. */
  readonly host: string
  readonly ports: readonly number[]
  /** Of each of them. */
  readonly maxConnections: number
  readonly accept: (socket: Socket) => void
  readonly findPortHolder: FindPortHolder
  readonly journal: WriteJournal
  readonly clock: Pick<Clock, 'sleep'>
}

export interface SidePort {
  readonly port: number
  readonly isOpen: boolean
  /** Why it is not open; null while nothing is wrong. */
  readonly trouble: string | null
}

/** An app that has the port gives it back when it is closed; nobody waits for it at the second. */
const AGAIN_AFTER_MS = 5000
/** A daemon that is being replaced has it for a moment still: only what lasts is told. */
const TOLD_AT_TRY = 2

export class SidePorts {
  readonly #options: SidePortsOptions
  readonly #state: Map<number, SidePort>

  constructor(options: SidePortsOptions) {
    this.#options = options
    this.#state = new Map(
      options.ports.map((port) => [port, { port, isOpen: false, trouble: null }]),
    )
  }

  state(): readonly SidePort[] {
    return [...this.#state.values()]
  }

  /** Keeps all of them open; resolves when `signal` has aborted and they are closed. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([...this.#state.keys()].map((port) => this.#keep(port, signal)))
  }

  async #keep(port: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    let failedTries = 0
    while (!signal.aborted) {
      const server = await this.#open(port)
      if (server instanceof Oss20bdError) {
        failedTries += 1
        this.#failed(port, server, failedTries === TOLD_AT_TRY)
        await clock.sleep(AGAIN_AFTER_MS, signal).catch(() => undefined)
        continue
      }
      this.#opened(port, failedTries >= TOLD_AT_TRY)
      failedTries = 0
      await closed(server, signal)
      this.#state.set(port, { port, isOpen: false, trouble: null })
    }
  }

  /** The failure is a value: it is expected. */
  async #open(port: number): Promise<Server | Oss20bdError> {
    const { host, maxConnections, accept, findPortHolder } = this.#options
    // As http's own server makes its connections.
    const server = createServer({ allowHalfOpen: true, noDelay: true }, accept)
    server.maxConnections = maxConnections
    try {
      await listenOn(server, { host, port }, findPortHolder)
      return server
    } catch (error) {
      if (error instanceof Oss20bdError) return error
      return new Oss20bdError('port-taken', `Cannot listen on port ${port}: ${messageOf(error)}`, {
        cause: error,
      })
    }
  }

  #failed(port: number, { message }: Oss20bdError, isTold: boolean): void {
    this.#state.set(port, { port, isOpen: false, trouble: message })
    if (!isTold) return
    this.#options.journal({
      kind: 'port',
      message: `${message}; the public port is not concerned, and it is tried again every ${AGAIN_AFTER_MS / 1000} s`,
      hint: `Stop what has it, or take ${port} out of proxy.alsoListen`,
      facts: { port },
    })
  }

  #opened(port: number, wasTold: boolean): void {
    this.#state.set(port, { port, isOpen: true, trouble: null })
    if (!wasTold) return
    this.#options.journal({
      kind: 'port',
      message: `Listening on port ${port} now`,
      facts: { port },
    })
  }
}

/** A listener fails once it is open only when the system takes it away. */
async function closed(server: Server, signal: AbortSignal): Promise<void> {
  try {
    await once(server, 'close', { signal })
  } catch {
    // Told to end, or it failed: either way it is to be closed.
  }
  if (server.listening) server.close()
}
