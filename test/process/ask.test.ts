/** `oss20bd ask` and `chat` as real children, against a port that plays what an engine says. */
import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { binFile } from '../helpers/cli.ts'
import { sendJson, startControlStandIn } from '../helpers/control-stand-in.ts'
import { makeStatus } from '../helpers/status.ts'
import { tempDir } from '../helpers/temp-dir.ts'

interface Asked {
  readonly body: unknown
  readonly token: string | undefined
}

type Answer = (response: ServerResponse) => void

/** A daemon and its port, as far as `ask` sees them. */
async function playedPort(answer: Answer) {
  const dir = await tempDir()
  const asked: Asked[] = []
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    asked.push({ body: await readJson(request), token: request.headers.authorization })
    answer(response)
  }
  const server = createServer((request, response) => void take(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = address instanceof Object ? address.port : 0
  const status = makeStatus({ proxy: { url: `http://127.0.0.1:${port}` } })
  const control = await startControlStandIn(dir.file('run', 'control.sock'), (_asked, response) =>
    sendJson(response, status),
  )
  return {
    asked,
    server,
    start: (args: readonly string[], options: { input?: string; env?: object } = {}) =>
      execa(process.execPath, [binFile, ...args], {
        env: { OSS20BD_HOME: dir.path, OSS20BD_CACHE: dir.file('cache'), ...options.env },
        input: options.input ?? '',
        reject: false,
        stripFinalNewline: false,
      }),
    [Symbol.asyncDispose]: async () => {
      server.close()
      server.closeAllConnections()
      await control.close()
      await dir[Symbol.asyncDispose]()
    },
  }
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(Buffer.from(chunk))
  return JSON.parse(Buffer.concat(chunks).toString('utf8'))
}

const head = { 'content-type': 'text/event-stream' }

function delta(words: object, more: object = {}): string {
  return `data: ${JSON.stringify({ choices: [{ index: 0, delta: words, finish_reason: null }], ...more })}\n\n`
}

const wholeAnswer = [
  ': waiting\n\n',
  delta({ role: 'assistant' }),
  delta({ reasoning_content: 'Let me 考える' }),
  delta({ content: 'Good **日本' }),
  delta({ content: '語** 🎉' }),
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })}\n\n`,
  `data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 9, completion_tokens: 4 }, timings: { predicted_per_second: 50.5 } })}\n\n`,
  'data: [DONE]\n\n',
].join('')

const answersWhole: Answer = (response) => {
  response.writeHead(200, head)
  response.end(wholeAnswer)
}

test('asks the port for a stream, and prints the answer alone into a pipe', async () => {
  await using port = await playedPort(answersWhole)
  const options = { input: 'a text', env: { OSS20BD_TOKEN: 'secret' } }
  const args = ['ask', 'Sum', 'up', '--effort', 'low', '--system', 'Be short', '--max-tokens', '50']
  const { exitCode, stdout, stderr } = await port.start(args, options)
  expect({ exitCode, stdout, stderr }).toEqual({
    exitCode: 0,
    stdout: 'Good **日本語** 🎉\n',
    stderr: '',
  })
  expect(port.asked).toEqual([
    {
      token: 'Bearer secret',
      body: {
        model: 'gpt-oss-20b',
        messages: [
          { role: 'system', content: 'Be short' },
          { role: 'user', content: 'Sum up\n\na text' },
        ],
        stream: true,
        stream_options: { include_usage: true },
        reasoning_effort: 'low',
        max_tokens: 50,
      },
    },
  ])
})

test('letters that are cut between the bytes of a stream are whole again', async () => {
  await using port = await playedPort((response) => {
    response.writeHead(200, head)
    for (const byte of Buffer.from(wholeAnswer)) response.write(Buffer.from([byte]))
    response.end()
  })
  expect((await port.start(['ask', 'x', '--reasoning'])).stdout).toBe(
    'Let me 考える\n\nGood **日本語** 🎉\n',
  )
})

test('--json tells the answer, the reasoning and the figures', async () => {
  await using port = await playedPort(answersWhole)
  const { stdout } = await port.start(['ask', 'x', '--json'])
  expect(JSON.parse(stdout)).toEqual({
    model: 'gpt-oss-20b',
    content: 'Good **日本語** 🎉',
    reasoning: 'Let me 考える',
    finishReason: 'stop',
    promptTokens: 9,
    generatedTokens: 4,
    generatedPerSecond: 50.5,
    firstWordMs: expect.any(Number),
  })
})

test('a JSON schema is passed on as the format of the answer', async () => {
  await using port = await playedPort(answersWhole)
  await port.start(['ask', 'x', '--json-schema', '{"type":"object"}'])
  expect(port.asked[0]?.body).toMatchObject({
    response_format: {
      type: 'json_schema',
      json_schema: { name: 'answer', strict: true, schema: { type: 'object' } },
    },
  })
})

test.each([
  [['ask'], 'there is no question'],
  [['ask', 'x', '--json-schema', '[1]'], 'Cannot read the JSON schema'],
  [['ask', 'x', '--json-schema', '{1'], 'it is no JSON object'],
  [['ask', 'x', '--max-tokens', '0.5'], 'it must be a whole number above 0'],
  [['ask', 'x', '--effort', 'huge'], 'low'],
  [['ask', 'x', '-f', '/none/such'], 'Cannot read the file'],
  [['chat'], 'it needs a terminal'],
])('%j is refused before anything is asked', async (args, words) => {
  await using port = await playedPort(answersWhole)
  const { exitCode, stdout, stderr } = await port.start(args)
  expect(exitCode).toBeGreaterThan(0)
  expect(stdout).toBe('')
  expect(stderr).toContain(words)
  expect(port.asked).toEqual([])
})

test.each<[string, Answer, string]>([
  [
    'a refusal',
    (response) => sendJson(response, { error: { message: 'the model is unloaded' } }, 503),
    'Cannot get an answer: the model is unloaded',
  ],
  [
    'a want of a token',
    (response) => sendJson(response, { error: { message: 'no token' } }, 401),
    'OSS20BD_TOKEN',
  ],
  [
    'an answer that is no JSON',
    (response) => response.writeHead(502).end('<html>'),
    'status 502, <html>',
  ],
  [
    'an error within the stream',
    (response) => {
      response.writeHead(200, head)
      response.end(`${delta({ content: 'Half' })}data: {"error":{"message":"it died"}}\n\n`)
    },
    'Cannot go on with the answer: it died',
  ],
  [
    'a stream without its end',
    (response) => {
      response.writeHead(200, head)
      response.end(delta({ content: 'Half' }))
    },
    'it ended in the middle',
  ],
  [
    'a connection that breaks',
    (response) => {
      response.writeHead(200, head)
      response.write(delta({ content: 'Half' }), () => response.destroy())
    },
    'Cannot go on with the answer',
  ],
])('%s is said and is a failure', async (_name, answer, words) => {
  await using port = await playedPort(answer)
  const { exitCode, stderr } = await port.start(['ask', 'x'])
  expect(exitCode).toBe(1)
  expect(stderr).toContain(words)
})

test('without a daemon it says how to start one', async () => {
  await using dir = await tempDir()
  const { exitCode, stderr } = await execa(process.execPath, [binFile, 'ask', 'x'], {
    env: { OSS20BD_HOME: dir.path },
    input: '',
    reject: false,
  })
  expect({ exitCode, stderr }).toMatchObject({
    exitCode: 3,
    stderr: expect.stringContaining('oss20bd start'),
  })
})

test('Ctrl-C ends the request at the port, keeps what came, and dies of it as a shell expects', async () => {
  const left = new EventEmitter()
  await using port = await playedPort((response) => {
    response.writeHead(200, head)
    response.write(delta({ content: 'Half' }))
    response.once('close', () => left.emit('left'))
  })
  const child = port.start(['ask', 'x'])
  child.stdout.once('data', () => child.kill('SIGINT'))
  await once(left, 'left')
  expect(await child).toMatchObject({ signal: 'SIGINT', stdout: 'Half\n' })
})
