/** One request of a client, and where its answer goes. */
import type http from 'node:http'

export interface Exchange {
  readonly req: http.IncomingMessage
  readonly res: http.ServerResponse
  /** The client waits for `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean
}
