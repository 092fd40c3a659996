/** The connections to the engine that are kept for the next requests, and that no request may get lost on. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import net from 'node:net'
import { describe, expect, test } from 'vitest'
import { settle } from '../../helpers/fake-clock.ts'
import { answerOf, bodyOf, errorOf, startRig, until } from '../../helpers/proxy-rig.ts'

/** A raw engine: `onRequest` gets each piece of a connection's bytes. */
async function rawEngine(
  path: string,
  onData: (socket: net.Socket, text: string, connection: number) => void,
): Promise<{ server: net.Server; sockets: net.Socket[] }> {
  const sockets: net.Socket[] = []
  const server = net.createServer((socket) => {
    const connection = sockets.push(socket)
    socket.on('error', () => {})
    socket.on('data', (bytes: Buffer) => onData(socket, bytes.toString('latin1'), connection))
  })
  server.listen(path)
  await once(server, 'listening')
  return { server, sockets }
}

const answer = (headers: string, body = 'ok'): string =>
  `HTTP/1.1 200 OK\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`
const PROMISE = 'Keep-Alive: timeout=5, max=100\r\n'

describe('a kept connection', () => {
  test('small requests one after the other share it, with and without body', async () => {
    const ports = new Set<unknown>()
    await using rig = await startRig((req, res) => {
      ports.add(req.socket)
      void bodyOf(req).then((body) => res.end(`${req.method}:${body.toString()}`))
    })
    for (const [method, body] of [
      ['GET', ''],
      ['POST', 'one'],
      ['POST', 'two'],
    ] as const) {
      const got = await answerOf(rig.request('/x', { method }), body)
      expect(got.body.toString()).toBe(`${method}:${body}`)
      await settle()
    }
    expect(ports.size).toBe(1)
  })

  test('requests at once leave a few of them, which the next ones share', async () => {
    const ports = new Set<unknown>()
    let waiting: (() => void)[] = []
    await using rig = await startRig((req, res) => {
      ports.add(req.socket)
      waiting.push(() => res.end('ok'))
      if (waiting.length < 8) return
      for (const end of waiting) end()
      waiting = []
    })
    for (let round = 0; round < 3; round += 1) {
      await Promise.all(Array.from({ length: 8 }, () => answerOf(rig.request('/x'))))
      await settle()
    }
    expect(ports.size).toBe(8)
  })

  test('is none where the engine promises nothing, closes, or says more than its answer', async () => {
    await using rig = await startRig()
    const texts = [answer(''), answer(`${PROMISE}Connection: close\r\n`), `${answer(PROMISE)}more`]
    const { server, sockets } = await rawEngine(rig.socketPath, (socket, _, connection) => {
      socket.write(texts[connection - 1] ?? answer(''))
    })
    rig.upstream.set(rig.ready)
    for (let index = 0; index < 4; index += 1) {
      expect((await answerOf(rig.request('/x'))).body.toString()).toBe('ok')
    }
    expect(sockets).toHaveLength(4)
    server.close()
  })

  test('that the engine has closed, unseen, loses no POST: it goes whole to a new one', async () => {
    await using rig = await startRig()
    const bodies: string[] = []
    const { server, sockets } = await rawEngine(rig.socketPath, (socket, text) => {
      bodies.push(text.split('\r\n\r\n')[1] ?? '')
      socket.write(answer(PROMISE))
    })
    rig.upstream.set(rig.ready)
    for (let index = 0; index < 20; index += 1) {
      const options = { method: 'POST', headers: { 'Content-Length': 6 } }
      const got = await answerOf(rig.request('/x', options), `body${10 + index}`)
      expect(got.status).toBe(200)
      sockets.at(-1)?.destroy()
    }
    expect(bodies).toEqual(Array.from({ length: 20 }, (_, index) => `body${10 + index}`))
    server.close()
  })

  test('of an engine that has died does not cost the request its place in the hold', async () => {
    await using rig = await startRig()
    const first = await rawEngine(rig.socketPath, (socket) => socket.write(answer(PROMISE)))
    rig.upstream.set(rig.ready)
    await answerOf(rig.request('/x'))
    first.server.close()
    first.sockets[0]?.destroy()
    await rm(rig.socketPath, { force: true })
    const answering = answerOf(rig.request('/x', { method: 'POST' }), 'kept body')
    await until(() => rig.proxy.counts().held === 1)
    await rig.startEngine((req, res) => void bodyOf(req).then((body) => res.end(body)))
    expect((await answering).body.toString()).toBe('kept body')
  })

  test('is let go when a request cannot use it, so that it holds no thread of the engine', async () => {
    const sockets = new Set<net.Socket>()
    await using rig = await startRig((req, res) => {
      sockets.add(req.socket)
      void bodyOf(req).then((body) => res.end(String(body.length)))
    })
    await answerOf(rig.request('/x'))
    const large = await answerOf(rig.request('/x', { method: 'POST' }), randomBytes(500_000))
    expect(large.body.toString()).toBe('500000')
    const [first] = sockets
    await until(() => first?.destroyed === true)
    expect(sockets.size).toBe(2)
  })

  test('is closed with the others', async () => {
    const sockets = new Set<net.Socket>()
    await using rig = await startRig((req, res) => {
      sockets.add(req.socket)
      res.end('ok')
    })
    await answerOf(rig.request('/x'))
    rig.proxy.closeUpstream()
    await until(() => [...sockets].every((socket) => socket.destroyed))
    expect(sockets.size).toBe(1)
  })
})

describe('an engine that answers nonsense', () => {
  test.each([
    ['no HTTP', 'hello\r\n\r\n', 'does not begin as HTTP/1.1'],
    ['two lengths', answer('Transfer-Encoding: chunked\r\n'), 'more than once how long'],
    ['an endless head', `HTTP/1.1 200 OK\r\nA: ${'a'.repeat(70_000)}`, 'more than 65536 bytes'],
  ])('%s: 502, with the reason', async (_, text, reason) => {
    await using rig = await startRig()
    const { server } = await rawEngine(rig.socketPath, (socket) => socket.write(text))
    rig.upstream.set(rig.ready)
    const got = await answerOf(rig.request('/x', { method: 'POST' }), '{}')
    expect([got.status, errorOf(got).code]).toEqual([502, 'engine_died_twice'])
    expect(errorOf(got).message).toContain(reason)
    server.close()
  })

  test('a chunk without a size cuts the answer off', async () => {
    await using rig = await startRig()
    const text = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nxyz\r\n'
    const { server } = await rawEngine(rig.socketPath, (socket) => socket.write(text))
    rig.upstream.set(rig.ready)
    const got = await answerOf(rig.request('/x'))
    expect([got.whole, got.body.toString()]).toEqual([false, 'ok'])
    server.close()
  })

  test('interim answers stay between the two of us', async () => {
    await using rig = await startRig()
    const text = `HTTP/1.1 102 Processing\r\n\r\n${answer('')}`
    const { server } = await rawEngine(rig.socketPath, (socket) => socket.write(text))
    rig.upstream.set(rig.ready)
    const got = await answerOf(rig.request('/x'))
    expect([got.status, got.body.toString()]).toEqual([200, 'ok'])
    server.close()
  })
})
