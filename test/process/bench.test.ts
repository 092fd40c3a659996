/** `oss20bd bench` as a real child, against a port that answers badly or not at all. */
import { EventEmitter, once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { binFile } from '../helpers/cli.ts'
import { sendJson, startControlStandIn } from '../helpers/control-stand-in.ts'
import { makeStatus } from '../helpers/status.ts'
import { tempDir } from '../helpers/temp-dir.ts'

async function playedPort(answer: (response: ServerResponse) => void, inFlight = 0) {
  const dir = await tempDir()
  const tokens: (string | undefined)[] = []
  const server = createServer((request, response) => {
    tokens.push(request.headers.authorization)
    request.resume()
    request.once('end', () => answer(response))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = address instanceof Object ? address.port : 0
  const status = makeStatus({ proxy: { url: `http://127.0.0.1:${port}`, inFlight } })
  const control = await startControlStandIn(dir.file('run', 'control.sock'), (_asked, response) =>
    sendJson(response, status),
  )
  return {
    tokens,
    history: dir.file('bench.jsonl'),
    start: (...args: readonly string[]) =>
      execa(process.execPath, [binFile, 'bench', ...args], {
        env: { OSS20BD_HOME: dir.path, OSS20BD_TOKEN: 'secret' },
        reject: false,
      }),
    [Symbol.asyncDispose]: async () => {
      server.close()
      server.closeAllConnections()
      await control.close()
      await dir[Symbol.asyncDispose]()
    },
  }
}

const head = { 'content-type': 'text/event-stream' }
const token = 'data: {"choices":[{"text":"a"}]}\n\n'

test.each<[string, (response: ServerResponse) => void, string]>([
  [
    'a refusal',
    (response) => sendJson(response, { error: { message: 'the model is unloaded' } }, 503),
    'Cannot measure: the model is unloaded',
  ],
  [
    'a want of a token',
    (response) => sendJson(response, { error: { message: 'no token' } }, 401),
    'OSS20BD_TOKEN',
  ],
  ['no JSON', (response) => response.writeHead(502).end('<html>'), 'status 502, <html>'],
  [
    'an error within the answer',
    (response) => response.writeHead(200, head).end('data: {"error":{"message":"it died"}}\n\n'),
    'Cannot measure: it died',
  ],
  [
    'an answer without its end',
    (response) => response.writeHead(200, head).end(token),
    'Cannot measure: an answer ended in the middle',
  ],
  [
    'an answer without timings',
    (response) => response.writeHead(200, head).end(`${token}data: [DONE]\n\n`),
    'Cannot measure: the engine does not tell its timings',
  ],
  [
    'a connection that breaks',
    (response) => response.writeHead(200, head).write(token, () => response.destroy()),
    'Cannot measure: ',
  ],
])('%s is said, and nothing of the run is kept', async (_name, answer, words) => {
  await using port = await playedPort(answer)
  const { exitCode, stdout, stderr } = await port.start()
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
  expect(stderr).toContain(words)
  expect(port.tokens).toEqual(['Bearer secret'])
  expect(existsSync(port.history)).toBe(false)
})

test('says that other apps are slower meanwhile, and that their requests lower the figures', async () => {
  await using port = await playedPort((response) => sendJson(response, {}, 503), 1)
  const { stderr } = await port.start()
  expect(stderr).toContain('requests of other apps wait their turn meanwhile')
  expect(stderr).toContain('the figures will be lower')
})

test.each([
  ['--depth', '0.5'],
  ['--rounds', '0'],
  ['--parallel', '1000'],
  ['--generate', 'many'],
])('%s %s is refused before anything is asked', async (...args) => {
  await using port = await playedPort((response) => sendJson(response, {}, 503))
  const { exitCode, stderr } = await port.start(...args)
  expect(exitCode).toBe(2)
  expect(stderr).toContain(args[0])
  expect(port.tokens).toEqual([])
})

test('without a daemon it says how to start one', async () => {
  await using dir = await tempDir()
  const { exitCode, stderr } = await execa(process.execPath, [binFile, 'bench'], {
    env: { OSS20BD_HOME: dir.path },
    reject: false,
  })
  expect(exitCode).toBe(3)
  expect(stderr).toContain('oss20bd start')
})

test('Ctrl-C ends the request, keeps nothing, and dies of it as a shell expects', async () => {
  const seen = new EventEmitter()
  await using port = await playedPort((response) => {
    response.once('close', () => seen.emit('left'))
    response.writeHead(200, head).write(token, () => seen.emit('asked'))
  })
  const left = once(seen, 'left')
  const asked = once(seen, 'asked')
  const child = port.start()
  await asked
  child.kill('SIGINT')
  await left
  expect(await child).toMatchObject({ signal: 'SIGINT', stdout: '' })
  expect(existsSync(port.history)).toBe(false)
})
