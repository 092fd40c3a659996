/** Writes one client's request to the engine, as fast as the engine takes it and the client brings it. */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'

/** Up to here copying the body behind the head is cheaper than handing the kernel two pieces. */
const ONE_PIECE_BYTES = 16 * 1024

const EMPTY = Buffer.alloc(0)

const LAST_CHUNK = '0\r\n\r\n'

export interface Upload {
  /** Takes no more of the body for the engine; what still comes of it runs into the void. */
  stop(): void
}

export function hasBody(req: IncomingMessage): boolean {
  const { headers } = req
  return headers['transfer-encoding'] !== undefined || headers['content-length'] !== undefined
}

/**
 * Sends a request that is here whole in one write to a kept connection. False when that could not be: then
 * nothing has left us, and the client's body is as it was.
 */
export function sendAtOnce(req: IncomingMessage, engine: Socket, head: string): boolean {
  const lengthBytes = hasBody(req) ? req.readableLength : 0
  const isWhole = !hasBody(req) || (req.complete && req.headers['transfer-encoding'] === undefined)
  if (!isWhole || lengthBytes > ONE_PIECE_BYTES) return false
  // Exactly its length: read() alone would end the stream, and an ended one takes nothing back.
  const body = lengthBytes === 0 ? EMPTY : bytesOf(req.read(lengthBytes))
  engine.write(pieceOf(head, body))
  // Set in write() itself, when the kernel has refused all of it because the engine has closed its side.
  if (engine.errored === null) return true
  if (body.length > 0) req.unshift(body)
  return false
}

/** `engine` is connected, `head` the whole head of the request in Latin-1. `null` when all has been written. */
export function startUpload(req: IncomingMessage, engine: Socket, head: string): Upload | null {
  if (!hasBody(req)) {
    engine.write(head, 'latin1')
    return null
  }
  const isChunked = req.headers['transfer-encoding'] !== undefined
  if (req.complete) {
    writeWhole(engine, head, bytesOf(req.read()), isChunked)
    return null
  }
  engine.write(head, 'latin1')
  return stream(req, engine, isChunked)
}

function bytesOf(read: unknown): Buffer {
  return Buffer.isBuffer(read) ? read : EMPTY
}

function pieceOf(head: string, body: Buffer): Buffer {
  const piece = Buffer.allocUnsafe(head.length + body.length)
  piece.write(head, 'latin1')
  body.copy(piece, head.length)
  return piece
}

function writeWhole(engine: Socket, head: string, body: Buffer, isChunked: boolean): void {
  if (!isChunked && body.length <= ONE_PIECE_BYTES) {
    engine.write(pieceOf(head, body))
    return
  }
  engine.cork()
  engine.write(head, 'latin1')
  if (isChunked) {
    writeChunk(engine, body)
    engine.write(LAST_CHUNK)
  } else engine.write(body)
  engine.uncork()
}

/** Not pipeline(): that would destroy the client's connection together with the engine's. */
function stream(req: IncomingMessage, engine: Socket, isChunked: boolean): Upload {
  const onData = (bytes: Buffer): void => {
    const isTaken = isChunked ? writeChunk(engine, bytes) : engine.write(bytes)
    if (!isTaken) req.pause()
  }
  const onEnd = (): void => {
    if (isChunked) engine.write(LAST_CHUNK)
  }
  const onDrain = (): void => void req.resume()
  req.on('data', onData)
  req.once('end', onEnd)
  engine.on('drain', onDrain)
  return {
    stop() {
      req.off('data', onData)
      req.off('end', onEnd)
      engine.off('drain', onDrain)
      req.resume()
    },
  }
}

/** An empty chunk would say that the body is over. */
function writeChunk(engine: Socket, bytes: Buffer): boolean {
  if (bytes.length === 0) return true
  engine.cork()
  engine.write(`${bytes.length.toString(16)}\r\n`, 'latin1')
  engine.write(bytes)
  const isTaken = engine.write('\r\n', 'latin1')
  engine.uncork()
  return isTaken
}
