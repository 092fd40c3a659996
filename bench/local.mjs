/** Ports and probes on this machine, for every part of the bench. */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { createInterface } from 'node:readline'

export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

/** A function that sends a command to the probe within a process and resolves with its answer. */
export async function connectProbe(path) {
  const socket = connect(path)
  await once(socket, 'connect')
  socket.on('error', () => undefined)
  const lines = createInterface({ input: socket })
  return async (command) => {
    const line = once(lines, 'line')
    socket.write(`${JSON.stringify(command)}\n`)
    return JSON.parse((await line)[0])
  }
}
