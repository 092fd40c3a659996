/** Plays the daemon's control server on a unix socket, answering what the test says. */
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import { dirname } from 'node:path'

export interface ControlStandIn {
  /** Every request so far, as "POST /restart". */
  readonly asked: readonly string[]
  close(): Promise<void>
}

/** `answer` is called for each request, with its "METHOD /path". */
export async function startControlStandIn(
  socketPath: string,
  answer: (asked: string, response: ServerResponse) => void,
): Promise<ControlStandIn> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    answer(`${request.method} ${request.url}`, response)
  })
  await mkdir(dirname(socketPath), { recursive: true })
  server.listen(socketPath)
  await once(server, 'listening')
  return {
    asked,
    close: async () => {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

export function sendJson(response: ServerResponse, body: unknown, code = 200): void {
  response.writeHead(code, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}
