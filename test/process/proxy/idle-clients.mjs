// Opens COUNT connections to PORT that say nothing, tells how many hold, and ends with its standard input.
import { once } from 'node:events'
import net from 'node:net'

const [port, count] = process.argv.slice(2).map(Number)
let open = 0
for (let begun = 0; begun < count; begun += 200) {
  const batch = Array.from({ length: Math.min(200, count - begun) }, async () => {
    const socket = net.connect(port, '127.0.0.1')
    socket.on('error', () => {})
    socket.on('close', () => (open -= 1))
    await once(socket, 'connect').catch(() => {})
    open += 1
  })
  await Promise.all(batch)
}
process.stdout.write(`${open}\n`)
process.stdin.resume()
process.stdin.on('end', () => process.exit())
