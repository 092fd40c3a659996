import { once } from 'node:events'
import http from 'node:http'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test, type TestContext } from 'vitest'
import { systemClock } from '../../../../src/clock.ts'
import { PortKeeper } from '../../../../src/daemon/handover/keep-port.ts'
import { listenAfterKeeper } from '../../../../src/daemon/handover/take-port.ts'
import { giveUpPort } from '../../../../src/port-keeper.ts'
import { tempDir } from '../../../helpers/temp-dir.ts'

interface Scene {
  readonly keeper: PortKeeper
  readonly socketPath: string
  readonly port: number
  readonly ask: (path: string) => Promise<Socket>
}

type OnTestFinished = TestContext['onTestFinished']

async function scene(onTestFinished: OnTestFinished, limitMs = 60_000): Promise<Scene> {
  const dir = await tempDir()
  onTestFinished(() => dir[Symbol.asyncDispose]())
  const socketPath = dir.file('port.sock')
  const keeper = new PortKeeper({ socketPath, limitMs, clock: systemClock })
  await keeper.listen()
  const listener = createServer().listen(0, '127.0.0.1')
  await once(listener, 'listening')
  keeper.keep(listener)
  onTestFinished(() => keeper.giveUp())
  const port = portOf(listener)
  const ask = async (path: string): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    await once(socket, 'connect')
    if (path !== '') socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    return socket
  }
  return { keeper, socketPath, port, ask }
}

function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** Answers with the path, and ends the connection. */
function nextDaemon(onTestFinished: OnTestFinished): http.Server {
  const server = http.createServer((req, res) => {
    res.writeHead(200, { connection: 'close' }).end(`next ${req.url}`)
  })
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return server
}

/** Listens on the port as the proxy does: again and again while it is coming. */
async function take({ socketPath, port }: Scene, server: http.Server): Promise<void> {
  await listenAfterKeeper(
    socketPath,
    async (isComing = () => false) => {
      for (;;) {
        server.listen(port, '127.0.0.1')
        const isTaken = await once(server, 'listening').then(
          () => false,
          () => true,
        )
        if (!isTaken) return { url: `http://127.0.0.1:${port}` }
        if (!isComing()) throw new Error('the port is taken')
        await nextTurn()
      }
    },
    systemClock,
  )
}

test('what was asked meanwhile is answered by the next daemon, which then has the port', async ({
  onTestFinished,
}) => {
  const kept = await scene(onTestFinished)
  const waiting = [await kept.ask('/one'), await kept.ask('/two')]
  await take(kept, nextDaemon(onTestFinished))
  const answers = await Promise.all(waiting.map((socket) => text(socket)))
  expect(answers).toEqual([
    expect.stringContaining('next /one'),
    expect.stringContaining('next /two'),
  ])
  expect(await text(await kept.ask('/three'))).toContain('next /three')
})

test('what its client had sent before comes first', async ({ onTestFinished }) => {
  const kept = await scene(onTestFinished)
  const given = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void given.close())
  await once(given, 'listening')
  const client = connect(portOf(given), '127.0.0.1')
  onTestFinished(() => void client.destroy())
  const [accepted] = await once(given, 'connection')
  kept.keeper.adopt(accepted, Buffer.from('GET /before HTTP/1.1\r\nHost: local'))
  client.write('host\r\n\r\n')
  await take(kept, nextDaemon(onTestFinished))
  expect(await text(client)).toContain('next /before')
})

test('when none will come, whoever has asked is told, and whoever has not is let go', async ({
  onTestFinished,
}) => {
  const { ask, socketPath } = await scene(onTestFinished)
  const [asking, idle] = [await ask('/one'), await ask('')]
  await giveUpPort(socketPath)
  const answer = await text(asking)
  expect(answer).toMatch(/^HTTP\/1\.1 503 [^]*"message":"Cannot answer: [^"]+oss20bd doctor"/)
  expect(await text(idle)).toBe('')
})

test('it gives up by itself', async ({ onTestFinished }) => {
  const { ask } = await scene(onTestFinished, 200)
  expect(await text(await ask('/one'))).toContain('restart_failed')
})

test('where there is no keeper the port is taken at once', async () => {
  const listen = (): Promise<{ url: string }> => Promise.resolve({ url: 'http://127.0.0.1:1' })
  expect(await listenAfterKeeper('/nowhere/port.sock', listen, systemClock)).toEqual({
    url: 'http://127.0.0.1:1',
  })
})
