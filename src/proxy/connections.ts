/** The connections of the public port, and the requests on each that are not over. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Exchange } from './exchange.ts'
import { type Given, type PortTaker, requestBytes, stopReading } from './hand-over.ts'
import type { WholeBody } from './kept-body.ts'

interface Connection {
  readonly open: Set<ServerResponse>
  /** What had been read when the last request was over; null when there may be more of it to read. */
  readBytes: number | null
}

export class Connections {
  readonly #all = new Map<Socket, Connection>()
  #taker: PortTaker | null = null

  opened(socket: Socket): void {
    this.#all.set(socket, { open: new Set(), readBytes: 0 })
    socket.once('close', () => this.#all.delete(socket))
  }

  begun({ req, res }: Exchange): void {
    const { socket } = req
    const connection = this.#all.get(socket)
    if (connection === undefined) return
    connection.open.add(res)
    res.once('close', () => {
      connection.open.delete(res)
      connection.readBytes = req.complete ? socket.bytesRead : null
      this.#offer(socket, connection)
    })
  }

  /** Gives away each connection that is idle now, and each that becomes so; null: none any more. */
  giveIdle(taker: PortTaker | null): void {
    this.#taker = taker
    for (const [socket, connection] of this.#all) this.#offer(socket, connection)
  }

  /** Gives away the connection of a request without an answer. False when another is behind it: then it stays. */
  giveAsked(taker: PortTaker, req: IncomingMessage, body: WholeBody | null): boolean {
    const { socket } = req
    if ((this.#all.get(socket)?.open.size ?? 2) > 1 || !this.#all.delete(socket)) return false
    taker.takeConnection(() => given(socket, requestBytes(req, body)))
    return true
  }

  /** Resolves when every answer has reached its client, or its client has gone. */
  async allAnswered(): Promise<void> {
    const open = [...this.#all.values()].flatMap((connection) => [...connection.open])
    await Promise.all(
      open.map((res) => new Promise<void>((resolve) => res.once('close', () => resolve()))),
    )
  }

  #offer(socket: Socket, connection: Connection): void {
    if (!isIdle(socket, connection)) return
    // Its client may have begun a request by then: that is answered here.
    this.#taker?.takeConnection(() =>
      isIdle(socket, connection) && this.#all.delete(socket)
        ? given(socket, Buffer.alloc(0))
        : null,
    )
  }
}

function given(socket: Socket, sent: Buffer): Given {
  stopReading(socket)
  return { socket, sent }
}

function isIdle(socket: Socket, { open, readBytes }: Connection): boolean {
  if (open.size > 0 || socket.destroyed || socket.writableEnded) return false
  // Half of a next head may have been read: only here can it be understood.
  return readBytes === socket.bytesRead
}
