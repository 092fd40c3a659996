/** Connections that read into memory of ours: whoever reads late must not find it overwritten. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { createServer, type Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { LargeReadHttpAgent } from '../../src/model/download/large-reads.ts'

const content = randomBytes(8 * 2 ** 20)
const HEAD = `HTTP/1.1 200 OK\r\ncontent-length: ${content.length}\r\n\r\n`

async function serverOf(answer: (socket: Socket) => void) {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    answer(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    port: address.port,
    [Symbol.asyncDispose]: async () => {
      server.close()
      await once(server, 'close')
    },
  }
}

/** Holds each piece over turns of the event loop, in which the next ones are read. */
async function readSlowly(stream: AsyncIterable<Buffer> | null | undefined): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of stream ?? []) {
    pieces.push(piece)
    await setImmediate()
  }
  return Buffer.concat(pieces)
}

test('pieces that wait in the stream of a connection stay as they came', async () => {
  await using server = await serverOf((socket) => socket.end(content))
  const agent = new LargeReadHttpAgent()
  const stream = agent.createConnection({ host: '127.0.0.1', port: server.port })
  expect((await readSlowly(stream)).equals(content)).toBe(true)
})

test('an answer that is read slowly stays as it came', async () => {
  await using server = await serverOf((socket) => {
    socket.once('data', () => socket.end(Buffer.concat([Buffer.from(HEAD), content])))
  })
  const agent = new LargeReadHttpAgent()
  const request = get({ host: '127.0.0.1', port: server.port, agent })
  const [response]: IncomingMessage[] = await once(request, 'response')
  expect((await readSlowly(response)).equals(content)).toBe(true)
  agent.destroy()
})
