/** The connections to the engine's socket: one for each request at work, and at most one kept for the next. */
import net from 'node:net'
import { type AnswerPart, createAnswerReader } from './answer-reader.ts'

export interface EngineListener {
  /** From here on the engine may be written to; before it nothing has left us. */
  onConnect(): void
  /** Everything one read brought, so that what came together can go on together. */
  onParts(parts: readonly AnswerPart[]): void
  onError(error: Error): void
}

export interface EngineConnections {
  /**
   * The kept connection, if it can be trusted. It is the caller's then: even an unwanted one holds a thread
   * of the engine, which the next request may need.
   */
  takeKept(socketPath: string): net.Socket | null
  connect(socketPath: string): net.Socket
  /** Keeps a connection whose answer is over, when the engine has promised to hold it for `keepAliveMs`. */
  keep(socketPath: string, socket: net.Socket, keepAliveMs: number): void
  /** Ends one at work or over. */
  end(socket: net.Socket): void
  /** Ends all of them; those at work see `error`. */
  endAll(error: Error): void
}

/**
 * How long before the engine would close an idle connection we do. A request that meets that close may be lost
 * without anybody knowing whether it ran, so the distance is one that no busy machine makes up.
 */
const MARGIN_MS = 3000

interface Kept {
  readonly socketPath: string
  readonly socket: net.Socket
  readonly untilMs: number
  /** Stops watching it. */
  readonly release: () => void
}

export function createEngineConnections(): EngineConnections {
  const atWork = new Set<net.Socket>()
  let kept: Kept | null = null

  function take(): Kept | null {
    const taken = kept
    kept = null
    taken?.release()
    return taken
  }

  const end = (socket: net.Socket): void => {
    if (atWork.delete(socket)) socket.destroy()
  }

  return {
    takeKept(socketPath) {
      const taken = take()
      if (taken === null) return null
      atWork.add(taken.socket)
      if (isGood(taken, socketPath)) return taken.socket
      end(taken.socket)
      return null
    },
    connect(socketPath) {
      const socket = net.connect(socketPath).on('error', ignore)
      atWork.add(socket)
      return socket
    },
    keep(socketPath, socket, keepAliveMs) {
      const forMs = keepAliveMs - MARGIN_MS
      if (forMs <= 0 || kept !== null || !socket.writable) return end(socket)
      atWork.delete(socket)
      kept = watched(socketPath, socket, forMs, () => take()?.socket.destroy())
    },
    end,
    endAll(error) {
      take()?.socket.destroy()
      for (const socket of atWork) socket.destroy(error)
    },
  }
}

function isGood(kept: Kept, socketPath: string): boolean {
  return kept.socketPath === socketPath && kept.socket.writable && performance.now() < kept.untilMs
}

/** Nothing is expected of a kept connection: bytes are as bad as its end, and its time runs out. */
function watched(socketPath: string, socket: net.Socket, forMs: number, drop: () => void): Kept {
  const timer = setTimeout(drop, forMs).unref()
  for (const event of ['data', 'end', 'error']) socket.on(event, drop)
  const release = (): void => {
    clearTimeout(timer)
    for (const event of ['data', 'end', 'error']) socket.off(event, drop)
  }
  return { socketPath, socket, untilMs: performance.now() + forMs, release }
}

/** Tells `listener` of the answer to one request with `method`, until the returned function is called. */
export function listenTo(socket: net.Socket, method: string, listener: EngineListener): () => void {
  const reader = createAnswerReader(method)
  const onConnect = (): void => listener.onConnect()
  const onData = (bytes: Buffer): void => listener.onParts(reader.read(bytes))
  const onEnd = (): void => listener.onParts(reader.readEnd())
  const onError = (error: Error): void => listener.onError(error)
  if (socket.connecting) socket.on('connect', onConnect)
  socket.on('data', onData)
  socket.on('end', onEnd)
  socket.on('error', onError)
  return () => {
    socket.off('connect', onConnect)
    socket.off('data', onData)
    socket.off('end', onEnd)
    socket.off('error', onError)
  }
}

/** A connection that was given up may still fail: that concerns nobody any more. */
function ignore(): void {}
