import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { askDaemon, askIfRunning, watchDaemon } from '../../../src/cli/control-client.ts'
import { sendJson, startControlStandIn } from '../../helpers/control-stand-in.ts'
import { makeStatus } from '../../helpers/status.ts'
import { tempDir } from '../../helpers/temp-dir.ts'

/** Runs `use` with the socket of a daemon that answers like this. */
async function withDaemon<T>(
  answer: (asked: string, response: ServerResponse) => void,
  use: (socket: string, asked: readonly string[]) => Promise<T>,
): Promise<T> {
  await using dir = await tempDir()
  const daemon = await startControlStandIn(dir.file('control.sock'), answer)
  try {
    return await use(dir.file('control.sock'), daemon.asked)
  } finally {
    await daemon.close()
  }
}

test('it asks by method and path and gives back the status', async () => {
  await withDaemon(
    (_asked, response) => sendJson(response, makeStatus(), 202),
    async (socket, asked) => {
      expect(await askDaemon(socket, 'POST', '/restart')).toEqual(makeStatus())
      expect(asked).toEqual(['POST /restart'])
    },
  )
})

test('a socket that is not there means that no daemon runs', async () => {
  await using dir = await tempDir()
  const socket = dir.file('control.sock')
  await expect(askDaemon(socket, 'GET', '/status')).rejects.toMatchObject({
    code: 'daemon-not-running',
    hint: 'Start it with: oss20bd start',
  })
  expect(await askIfRunning(socket)).toBeNull()
})

test('a refusal is told in the words of the daemon', async () => {
  const error = { message: 'Cannot restart: it is stopping', hint: 'Wait' }
  await withDaemon(
    (_asked, response) => sendJson(response, { error }, 409),
    async (socket) => {
      await expect(askDaemon(socket, 'POST', '/restart')).rejects.toMatchObject(error)
    },
  )
})

test.each(['not json', '', '[', '"text"', 'null'])(
  'the answer %j is an error, not a crash',
  async (text) => {
    await withDaemon(
      (_asked, response) => response.end(text),
      async (socket) => {
        await expect(askDaemon(socket, 'GET', '/status')).rejects.toThrow(
          'its answer is not readable',
        )
      },
    )
  },
)

test('a daemon that does not answer is given up on', async () => {
  await withDaemon(
    () => undefined,
    async (socket) => {
      await expect(askDaemon(socket, 'GET', '/status', 30)).rejects.toMatchObject({
        code: 'timeout',
      })
    },
  )
})

test('a daemon that breaks off in the middle is an error', async () => {
  await withDaemon(
    (_asked, response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('{"daemon"', () => response.destroy())
    },
    async (socket) => {
      await expect(askDaemon(socket, 'GET', '/status')).rejects.toThrow('Cannot ask the daemon')
    },
  )
})

test.each([
  ['ends', (response: ServerResponse) => response.end()],
  ['is killed', (response: ServerResponse) => response.destroy()],
])(
  'it watches each change, wherever the lines are cut, until the daemon %s',
  async (_how, finish) => {
    const text = `${JSON.stringify(makeStatus({ engine: { state: 'starting' } }))}\n${JSON.stringify(makeStatus())}\n`
    await withDaemon(
      (_asked, response) => {
        response.write(text.slice(0, 20), () =>
          response.write(text.slice(20), () => setImmediate(finish, response)),
        )
      },
      async (socket) => {
        const states: string[] = []
        for await (const status of watchDaemon(socket, new AbortController().signal)) {
          states.push(status.engine.state)
        }
        expect(states).toEqual(['starting', 'ready'])
      },
    )
  },
)

test('watching ends without an error when the watcher has enough', async () => {
  await withDaemon(
    (_asked, response) => response.write(`${JSON.stringify(makeStatus())}\n`),
    async (socket) => {
      const enough = new AbortController()
      let seen = 0
      for await (const _status of watchDaemon(socket, enough.signal)) {
        seen += 1
        enough.abort()
      }
      expect(seen).toBe(1)
    },
  )
})

test('watching a daemon that is not there says so', async () => {
  await using dir = await tempDir()
  const events = watchDaemon(dir.file('control.sock'), new AbortController().signal)
  await expect(events[Symbol.asyncIterator]().next()).rejects.toMatchObject({
    code: 'daemon-not-running',
  })
})
