/**
 * Starts the requests of one connection one after the other, in the order in which their answers must come.
 * Otherwise a single connection could have thousands at work, and those of a client that left would run on:
 * Node tells only the answer at the head of the line that its connection is gone.
 */
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Exchange } from './exchange.ts'

/** No client sends so many ahead; each costs a hundred times its bytes. */
const MAX_AHEAD = 1000

interface Line {
  last: ServerResponse
  /** Begun and not yet over, with the one at work. */
  length: number
}

export class OneAtATime {
  readonly #lines = new WeakMap<Socket, Line>()

  /** Calls `start` as soon as nothing of this connection is before it; never, when the connection ends first. */
  begin({ req: { socket }, res }: Exchange, start: () => void): void {
    const line = this.#lines.get(socket)
    res.once('close', () => this.#leave(socket))
    if (line === undefined || line.length === 0) {
      this.#lines.set(socket, { last: res, length: 1 })
      return start()
    }
    const before = line.last
    line.last = res
    line.length += 1
    if (line.length > MAX_AHEAD) return void socket.destroy()
    before.once('close', () => {
      // It has the connection now, unless that is over.
      if (res.socket !== null && !res.destroyed) start()
    })
  }

  #leave(socket: Socket): void {
    const line = this.#lines.get(socket)
    if (line !== undefined) line.length -= 1
  }
}
