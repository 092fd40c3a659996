/** What is done with the rest of a body that nobody wants. */
import type { IncomingMessage } from 'node:http'

/** More than a client sends that merely missed the limit, and over in a moment on this machine. */
const MAX_DRAINED_BYTES = 256 * 2 ** 20
/** As long as nginx lingers. */
const MAX_DRAIN_MS = 30_000

const draining = new WeakSet<IncomingMessage>()

/**
 * Lets it run into the void, so that its client reads the answer and the connection can be used again: one
 * that is closed on bytes still to be read may lose the answer on its way. What is too much or too slow
 * ends the connection all the same.
 */
export function drain(req: IncomingMessage): void {
  if (!req.complete && !draining.has(req)) watch(req)
  req.resume()
}

function watch(req: IncomingMessage): void {
  draining.add(req)
  let drainedBytes = 0
  const cut = (): void => void req.socket.destroy()
  const timer = setTimeout(cut, MAX_DRAIN_MS).unref()
  req.on('data', (bytes: Buffer) => {
    drainedBytes += bytes.length
    if (drainedBytes > MAX_DRAINED_BYTES) cut()
  })
  const stop = (): void => clearTimeout(timer)
  req.once('end', stop)
  req.once('close', stop)
}
