/**
 * Keeps the public port while one daemon ends and the next comes up: accepts connections, reads nothing, and pipes each
 * to the next daemon once that listens. A process of its own (keeper-main.ts), because both daemons come and go.
 */
import { rm } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import type { Clock } from '../../clock.ts'
import { FREE, GIVE_UP, LISTENING, TAKE } from '../../port-keeper.ts'
import { unavailableAnswer } from './unavailable-answer.ts'

export interface PortKeeperOptions {
  readonly socketPath: string
  readonly limitMs: number
  readonly clock: Pick<Clock, 'sleep' | 'monotonicMs'>
}

/** Apps that wait for an answer ask nothing else: after so long without a new connection nobody is about to make one. */
const QUIET_MS = 20
/** Others never fall quiet. */
const LONGEST_WAIT_FOR_QUIET_MS = 500
/** The next daemon is awake by then, and tries to take the port again and again. */
const WAKE_MS = 5

interface Waiting {
  readonly socket: Socket
  readonly sent: Uint8Array
}

interface Address {
  readonly host: string
  readonly port: number
}

/** Answers on its socket from `listen` on. The process ends by itself with the last connection. */
export class PortKeeper {
  readonly #options: PortKeeperOptions
  readonly #control: Server
  readonly #over = new AbortController()
  #listener: Server | null = null
  #waiting: Waiting[] = []
  #next: Address | null = null
  #lastCameMs = 0

  constructor(options: PortKeeperOptions) {
    this.#options = options
    this.#control = createServer((client) => this.#hear(client))
  }

  async listen(): Promise<void> {
    const { socketPath, clock, limitMs } = this.#options
    await rm(socketPath, { force: true })
    await new Promise<void>((resolve, reject) => {
      this.#control.once('error', reject)
      this.#control.listen(socketPath, resolve)
    })
    void clock.sleep(limitMs, this.#over.signal).then(
      () => this.giveUp(),
      () => undefined,
    )
  }

  keep(listener: Server): void {
    this.#listener = listener
    // A client may say that it has said all, and still wants its answer.
    Object.assign(listener, { allowHalfOpen: true })
    listener.on('connection', (socket: Socket) => this.adopt(socket, new Uint8Array()))
  }

  adopt(socket: Socket, sent: Uint8Array): void {
    this.#lastCameMs = this.#options.clock.monotonicMs()
    socket.allowHalfOpen = true
    socket.on('error', ignore)
    socket.pause()
    if (this.#over.signal.aborted && this.#next === null) refuse({ socket, sent })
    else if (this.#next === null) this.#waiting.push({ socket, sent })
    else relay({ socket, sent }, this.#next)
  }

  /** No daemon came: whoever waits is told. */
  giveUp(): void {
    this.#end()
    for (const waiting of this.#waiting.splice(0)) refuse(waiting)
  }

  #hear(client: Socket): void {
    client.on('error', ignore)
    createInterface({ input: client }).on('line', (line) => {
      const [verb, host = '', port = ''] = line.split(' ')
      if (verb === TAKE) void this.#letGo(client)
      else if (verb === LISTENING) this.#passOn({ host, port: Number(port) })
      else if (verb === GIVE_UP) this.giveUp()
    })
  }

  async #letGo(client: Socket): Promise<void> {
    const { clock } = this.#options
    const untilMs = clock.monotonicMs() + LONGEST_WAIT_FOR_QUIET_MS
    const quietMs = (): number => clock.monotonicMs() - this.#lastCameMs
    while (quietMs() < QUIET_MS && clock.monotonicMs() < untilMs) await clock.sleep(QUIET_MS)
    client.write(`${FREE}\n`)
    await clock.sleep(WAKE_MS)
    // After a look at the network: what has come until now is accepted.
    setImmediate(() => this.#listener?.close())
  }

  #passOn(next: Address): void {
    this.#next = next
    this.#end()
    for (const waiting of this.#waiting.splice(0)) relay(waiting, next)
  }

  #end(): void {
    this.#over.abort()
    if (this.#listener?.listening === true) this.#listener.close()
    if (this.#control.listening) this.#control.close()
  }
}

/** Both ways, byte by byte, until both sides have ended. */
function relay({ socket, sent }: Waiting, address: Address): void {
  const next = connect({ ...address, allowHalfOpen: true })
  let isConnected = false
  next.once('connect', () => {
    isConnected = true
  })
  next.on('error', ignore)
  next.once('close', () => {
    if (isConnected) return void socket.destroy()
    socket.unpipe(next)
    refuse({ socket, sent })
  })
  socket.once('close', () => next.destroy())
  if (sent.length > 0) next.write(sent)
  socket.pipe(next)
  next.pipe(socket)
}

/** A connection whose client has said nothing gets no answer: it has not asked. */
function refuse({ socket, sent }: Waiting): void {
  const hasAsked = sent.length > 0 || socket.bytesRead > 0
  if (hasAsked) socket.end(unavailableAnswer())
  else socket.end()
  // What still comes is not wanted; unread, it would turn the end into a reset.
  socket.resume()
}

function ignore(): void {}
