/** The connections to the engine's socket: one for each request at work, and a few kept for the next ones. */
import { EngineConnection } from './engine-connection.ts'

export interface EngineConnections {
  /** A kept connection, if there is one that can be trusted. It is the caller's then. */
  takeKept(socketPath: string): EngineConnection | null
  /** A new one. Lets a kept one go: even an unwanted one holds a thread of the engine, which this may need. */
  connect(socketPath: string): EngineConnection
  /** Keeps a connection whose answer is over, when the engine has promised to hold it for `keepAliveMs`. */
  keep(connection: EngineConnection, keepAliveMs: number): void
  /** Ends one at work or over. */
  end(connection: EngineConnection): void
  /** Ends all of them; those at work see `error`. */
  endAll(error: Error): void
}

/**
 * How long before the engine would close an idle connection we do. A request that meets that close may be lost
 * without anybody knowing whether it ran, so the distance is one that no busy machine makes up.
 */
const MARGIN_MS = 3000

/**
 * As many requests end between two turns of a busy event loop. Each holds a thread of the engine, which
 * starts another where it has none left (v0.5.0).
 */
const MAX_KEPT = 8

interface Kept {
  readonly connection: EngineConnection
  readonly untilMs: number
}

export function createEngineConnections(): EngineConnections {
  return new Connections()
}

class Connections implements EngineConnections {
  readonly #atWork = new Set<EngineConnection>()
  /** The one used last is the last, and the first to be used again. */
  readonly #kept: Kept[] = []
  #dropping: NodeJS.Timeout | null = null

  takeKept(socketPath: string): EngineConnection | null {
    for (let kept = this.#kept.pop(); kept !== undefined; kept = this.#kept.pop()) {
      const { connection } = kept
      if (isGood(kept, socketPath)) {
        this.#atWork.add(connection)
        return connection
      }
      connection.socket.destroy()
    }
    return null
  }

  connect(socketPath: string): EngineConnection {
    this.#kept.pop()?.connection.socket.destroy()
    const connection = new EngineConnection(socketPath)
    this.#atWork.add(connection)
    return connection
  }

  keep(connection: EngineConnection, keepAliveMs: number): void {
    const forMs = keepAliveMs - MARGIN_MS
    if (forMs <= 0 || !connection.socket.writable) return this.end(connection)
    this.#atWork.delete(connection)
    this.#kept.push({ connection, untilMs: performance.now() + forMs })
    if (this.#kept.length > MAX_KEPT) this.#kept.shift()?.connection.socket.destroy()
    if (this.#dropping === null) this.#dropping = setTimeout(this.#dropOld, forMs).unref()
  }

  end(connection: EngineConnection): void {
    if (this.#atWork.delete(connection)) connection.socket.destroy()
  }

  endAll(error: Error): void {
    for (const { connection } of this.#kept.splice(0)) connection.socket.destroy()
    for (const { socket } of this.#atWork) socket.destroy(error)
  }

  /** One timer for all of them: it is set anew only after it has fired, not with each request. */
  readonly #dropOld = (): void => {
    const nowMs = performance.now()
    let nextMs = Infinity
    for (const kept of this.#kept.splice(0)) {
      if (kept.untilMs <= nowMs || !kept.connection.socket.writable) {
        kept.connection.socket.destroy()
        continue
      }
      this.#kept.push(kept)
      nextMs = Math.min(nextMs, kept.untilMs)
    }
    const isAny = this.#kept.length > 0
    this.#dropping = isAny ? setTimeout(this.#dropOld, Math.ceil(nextMs - nowMs)).unref() : null
  }
}

function isGood({ connection, untilMs }: Kept, socketPath: string): boolean {
  const { socket } = connection
  return connection.socketPath === socketPath && socket.writable && performance.now() < untilMs
}
