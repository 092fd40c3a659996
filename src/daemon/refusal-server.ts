/** Stands in for the control server of a daemon that cannot run: answers whoever asks with the reason. */
import { chmod, mkdir, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import type { Oss20bdError } from '../errors.ts'
import { acquireInstanceLock } from './instance-lock.ts'

export interface RefusalServer {
  close(): Promise<void>
}

export interface RefusalServerOptions {
  readonly socketPath: string
  readonly failed: Oss20bdError
  /** Somebody wants it to run: it is worth another try. */
  readonly onAsked: () => void
  readonly onShutdown: () => void
}

/** Holds the instance lock meanwhile: closing must not take the socket from another daemon. */
export async function startRefusalServer(options: RefusalServerOptions): Promise<RefusalServer> {
  const { socketPath } = options
  await mkdir(dirname(socketPath), { recursive: true, mode: 0o700 })
  const lock = await acquireInstanceLock(join(dirname(socketPath), 'daemon.lock'))
  try {
    await rm(socketPath, { force: true })
    const server = createServer((request, response) => answer(options, request, response))
    server.listen(socketPath)
    await once(server, 'listening')
    await chmod(socketPath, 0o600)
    return {
      close: async () => {
        server.close()
        server.closeAllConnections()
        await once(server, 'close')
        await lock.release()
      },
    }
  } catch (error) {
    await lock.release()
    throw error
  }
}

function answer(
  { failed, onAsked, onShutdown }: RefusalServerOptions,
  { method, url }: IncomingMessage,
  response: ServerResponse,
): void {
  const { code, message, hint } = failed
  response.writeHead(503, { 'content-type': 'application/json', connection: 'close' })
  response.end(JSON.stringify({ error: { code, message, hint } }))
  // It has no port to give.
  if (url?.startsWith('/hand-over') === true) return
  if (method === 'POST') response.once('finish', url === '/shutdown' ? onShutdown : onAsked)
}
