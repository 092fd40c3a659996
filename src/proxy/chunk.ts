/** Frames bytes as one chunk of a body of unknown length (RFC 9112 7.1). Pure. */

const LAST = '0\r\n\r\n'
const NONE = Buffer.alloc(0)

/**
 * Size, bytes and line ends in one piece: node:http hands the kernel four for each chunk, which costs it more
 * than all that we do with a token. `isLast` ends the body. Nothing for no bytes: an empty chunk would end it.
 */
export function chunkOf(bytes: Buffer, isLast: boolean): Buffer {
  const end = isLast ? LAST : ''
  if (bytes.length === 0) return isLast ? Buffer.from(end) : NONE
  const size = `${bytes.length.toString(16)}\r\n`
  const chunk = Buffer.allocUnsafe(size.length + bytes.length + 2 + end.length)
  const start = chunk.write(size, 'latin1')
  bytes.copy(chunk, start)
  chunk.write(`\r\n${end}`, start + bytes.length, 'latin1')
  return chunk
}
