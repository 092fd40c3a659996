/**
 * What any Node process pays on this machine at this load, measured beside the daemon: started by bench/supervision.mjs.
 *
 *   reference.mjs pipe SOCKET             carries bytes between a port and the engine, and understands nothing
 *   reference.mjs respawn FILE SOCKET     starts FILE again whenever it ends, and does nothing else
 */
import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import net from 'node:net'

process.on('disconnect', () => process.exit(0))
const [kind, ...args] = process.argv.slice(2)
if (kind === 'pipe') pipe(...args)
else respawn(...args)

function pipe(socketPath) {
  const server = net.createServer({ noDelay: true }, (client) => {
    const engine = net.connect(socketPath)
    for (const [from, to] of [
      [client, engine],
      [engine, client],
    ]) {
      from.on('data', (bytes) => void to.write(bytes))
      from.on('error', () => undefined)
      from.on('close', () => to.destroy())
    }
  })
  server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }))
}

function respawn(file, socketPath) {
  // What a killed engine leaves behind would make the bind fail.
  rmSync(socketPath, { force: true })
  const child = spawn(file, ['--host', socketPath], { stdio: 'pipe' })
  child.stdout.resume()
  child.stderr.resume()
  child.on('exit', () => respawn(file, socketPath))
  process.send({ pid: child.pid })
}
