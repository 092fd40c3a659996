/** Whether a client's request has a body, by what its head says. Pure. */
import type { IncomingMessage } from 'node:http'

export function hasBody({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  return headers['transfer-encoding'] !== undefined || headers['content-length'] !== undefined
}
