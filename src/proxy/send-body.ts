/** Writes a request to the engine: in one piece when it is small, else as fast as the engine takes it. */
import type { Socket } from 'node:net'
import type { BodyFailure } from './admission/body-failure.ts'
import type { Passing } from './admission/large-body.ts'
import type { LargeBody, WholeBody } from './kept-body.ts'

/** Up to here copying the body behind the head is cheaper than handing the kernel two pieces. */
const onePieceBytes = 16 * 1024

export type SentBody = Pick<WholeBody, 'pieces' | 'lengthBytes'>

/** Whether it goes out in one write, which the kernel takes or refuses as a whole. */
export function fitsOnePiece(body: WholeBody | LargeBody | null): boolean {
  return body === null || (body.kind === 'whole' && body.lengthBytes <= onePieceBytes)
}

/** `head` is the whole head of the request in Latin-1. */
export function sendWhole(engine: Socket, head: string, { pieces, lengthBytes }: SentBody): void {
  if (lengthBytes === 0) {
    engine.write(head, 'latin1')
    return
  }
  if (lengthBytes <= onePieceBytes) {
    const piece = Buffer.allocUnsafe(head.length + lengthBytes)
    let at = piece.write(head, 'latin1')
    for (const bytes of pieces) at += bytes.copy(piece, at)
    engine.write(piece)
    return
  }
  // Kept anyway, so that there is nothing to hold back: the socket takes references.
  engine.cork()
  engine.write(head, 'latin1')
  for (const bytes of pieces) engine.write(bytes)
  engine.uncork()
}

/** Passes a body on that is too large to be kept, at the pace of the engine. */
export function passOn(
  body: LargeBody,
  engine: Socket,
  head: string,
  onFailed: (failure: BodyFailure) => void,
): Passing {
  const isChunked = body.lengthBytes === null
  engine.write(head, 'latin1')
  const passing = body.pass({
    write: (bytes) => (isChunked ? writeChunk(engine, bytes) : engine.write(bytes)),
    end: () => {
      if (isChunked) engine.write('0\r\n\r\n')
    },
    failed: onFailed,
  })
  const onDrain = (): void => passing.resume()
  engine.on('drain', onDrain)
  return {
    resume: onDrain,
    stop: () => {
      engine.off('drain', onDrain)
      passing.stop()
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
