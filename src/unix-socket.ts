/** How got reaches a unix socket whose path may hold anything. */
import { connect, type Socket } from 'node:net'

/**
 * The options for a request to `http://localhost/...` over the socket. Not got's own addresses, `unix:PATH:/...`: they turn a
 * space into `%20` and end at a colon, and on every Mac the path holds `Application Support`.
 * Each request has a connection of its own: the engine closes an idle one after 5 s, so one that is kept would break when needed.
 */
export function overSocket(socketPath: string): { readonly createConnection: () => Socket } {
  return { createConnection: () => connect(socketPath) }
}
