/**
 * How to speak with the keeper of the public port: the process that holds it while one daemon ends and the next comes up.
 * On its socket, a line each. The next daemon: `take`, and when it has the port `listening HOST PORT`; whoever knows that
 * none will come: `give-up`. The keeper: `free`, when the port is about to be.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'

export const TAKE = 'take'
export const FREE = 'free'
export const LISTENING = 'listening'
export const GIVE_UP = 'give-up'

/** `run` is the folder of sockets and locks. */
export function keeperSocket({ run }: { readonly run: string }): string {
  return join(run, 'port.sock')
}

/** null when there is none. */
export async function reachKeeper(socketPath: string): Promise<Socket | null> {
  const socket = connect(socketPath)
  try {
    await once(socket, 'connect')
  } catch {
    return null
  }
  socket.on('error', () => undefined)
  return socket
}

/** Nobody will come for the port: a keeper, if there is one, tells whoever waits. */
export async function giveUpPort(socketPath: string): Promise<void> {
  const keeper = await reachKeeper(socketPath)
  keeper?.end(`${GIVE_UP}\n`)
}
