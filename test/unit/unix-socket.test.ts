/** Every Mac has a space in the path of the engine's socket: `~/Library/Application Support/oss20bd/run/engine.sock`. */
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { createServer } from 'node:http'
import got from 'got'
import { expect, test } from 'vitest'
import { overSocket } from '../../src/unix-socket.ts'
import { tempDir } from '../helpers/temp-dir.ts'

test.each(['Application Support', '山田 太郎 🍎', 'a:b', '100%25 #?&'])(
  'a socket in a folder named %j is reached, each time by a connection of its own',
  async (name) => {
    await using dir = await tempDir()
    await mkdir(dir.file(name))
    const socketPath = dir.file(name, 'engine.sock')
    const asked: unknown[] = []
    let connections = 0
    await using server = createServer((req, res) => {
      asked.push(req.url)
      res.end('there')
    })
    server.on('connection', () => {
      connections += 1
    })
    server.listen(socketPath)
    await once(server, 'listening')
    const client = got.extend({ ...overSocket(socketPath), retry: { limit: 0 } })
    for (const path of ['/health', '/slots?a=1']) {
      expect((await client.get(`http://localhost${path}`)).body).toBe('there')
    }
    expect({ asked, connections }).toEqual({ asked: ['/health', '/slots?a=1'], connections: 2 })
  },
)
