import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import type { ExpectedFile } from '../../src/model/catalog.ts'
import { type PullOptions, type PullProgress, pullModel } from '../../src/model/pull.ts'

type Handler = (request: IncomingMessage, response: ServerResponse, attempt: number) => void

const content = Buffer.alloc(3_000_000, 'gpt-oss ')
const expectedOf = (bytes: Buffer): ExpectedFile => ({
  bytes: bytes.length,
  sha256: createHash('sha256').update(bytes).digest('hex'),
})
const expected = [expectedOf(Buffer.from('another good version')), expectedOf(content)]

let folder = ''
let destination = ''
let server: Server | undefined
let requests: IncomingMessage[] = []
let logged: string[] = []
let progress: PullProgress[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oss20bd-'))
  destination = join(folder, 'models', 'model.gguf')
  requests = []
  logged = []
  progress = []
})
afterEach(async () => {
  server?.closeAllConnections()
  await new Promise((resolve) => (server === undefined ? resolve(null) : server.close(resolve)))
  server = undefined
  await rm(folder, { recursive: true, force: true })
})

async function serve(handler: Handler): Promise<string> {
  const started = createServer((request, response) => {
    requests.push(request)
    handler(request, response, requests.length)
  })
  server = started
  return `${await listen(started)}/model.gguf`
}

async function listen(started: Server): Promise<string> {
  await new Promise<void>((resolve) => {
    started.listen(0, '127.0.0.1', resolve)
  })
  const address = started.address()
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
}

function pull(url: string, change: Partial<PullOptions> = {}): Promise<ExpectedFile> {
  const record = (message: string, fields?: object) =>
    void logged.push(`${message} ${JSON.stringify(fields)}`)
  return pullModel({
    url,
    token: null,
    destination,
    expected,
    onProgress: (now) => void progress.push(now),
    signal: AbortSignal.timeout(30_000),
    clock: systemClock,
    log: { info: record, warn: record },
    limits: { stallMs: 5000, retries: 2, retriesWithoutAnswer: 1, firstRetryDelayMs: 10 },
    ...change,
  })
}

/** Serves ranges as a real file server does; `cutAt` breaks the connection at that byte of the file. */
function sendRange(
  request: IncomingMessage,
  response: ServerResponse,
  cutAt = content.length,
  body = content,
): void {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
  const headers = { 'content-length': body.length - start, etag: '"v1"' }
  if (start === 0) response.writeHead(200, headers)
  else {
    const range = `bytes ${start}-${body.length - 1}/${body.length}`
    response.writeHead(206, { ...headers, 'content-range': range })
  }
  if (cutAt === body.length) response.end(body.subarray(start))
  else response.write(body.subarray(start, cutAt), () => response.destroy())
}

async function inPlace(): Promise<boolean> {
  return (await readFile(destination)).equals(content) && !existsSync(`${destination}.part`)
}

it('downloads the whole, checks it and puts it in place', async () => {
  const url = await serve((request, response) => sendRange(request, response))
  expect(await pull(url)).toEqual(expected[1])
  expect(await inPlace()).toBe(true)
  const last = (phase: string) => progress.findLast((now) => now.phase === phase)
  expect(last('downloading')).toMatchObject({
    fraction: 1,
    bytes: 3_000_000,
    totalBytes: 3_000_000,
  })
  expect(last('checking')).toMatchObject({ fraction: 1, bytes: 3_000_000 })
})

it('goes on by itself where the connection broke', async () => {
  const url = await serve((request, response, attempt) =>
    sendRange(request, response, attempt === 1 ? 1_000_000 : content.length),
  )
  await pull(url)
  expect(await inPlace()).toBe(true)
  expect(requests).toHaveLength(2)
  expect(requests[1]?.headers).toMatchObject({
    range: expect.stringMatching(/^bytes=9\d{5}-$|^bytes=1000000-$/),
    'if-range': '"v1"',
  })
})

it('does not count breaks against the limit while more and more arrives', async () => {
  // What is still in flight when the connection breaks is lost.
  const step = 2 ** 20 + 300_000
  const long = Buffer.alloc(5 * step, 'long')
  const url = await serve((request, response, attempt) =>
    sendRange(request, response, Math.min(attempt * step, long.length), long),
  )
  await pull(url, {
    expected: [expectedOf(long)],
    limits: { stallMs: 5000, retries: 1, firstRetryDelayMs: 10 },
  })
  expect(requests).toHaveLength(5)
})

it('goes on where an earlier run stopped', async () => {
  const url = await serve((request, response) => sendRange(request, response))
  const stop = new AbortController()
  const stopped = pull(url, {
    signal: stop.signal,
    onProgress: ({ bytes }) => bytes > 1_000_000 && stop.abort(new Error('asked')),
  })
  await expect(stopped).rejects.toThrow('asked')
  const { size } = await stat(`${destination}.part`)
  await pull(url)
  expect(await inPlace()).toBe(true)
  expect(requests[1]?.headers.range).toBe(size === 0 ? undefined : `bytes=${size}-`)
})

it('starts anew with a server that has no ranges', async () => {
  const url = await serve((_request, response, attempt) => {
    response.writeHead(200, { 'content-length': content.length })
    if (attempt === 1) response.write(content.subarray(0, 1_000_000), () => response.destroy())
    else response.end(content)
  })
  await pull(url)
  expect(await inPlace()).toBe(true)
})

it('starts anew when the part of an earlier run belongs to another file', async () => {
  const url = await serve((request, response) => sendRange(request, response))
  await pull(url)
  await writeFile(`${destination}.part`, Buffer.alloc(500_000, 'other'))
  await pull(url)
  expect(await inPlace()).toBe(true)
  expect(requests.map((request) => request.headers.range)).toEqual([
    undefined,
    'bytes=500000-',
    undefined,
  ])
})

it('makes a new connection when nothing arrives any more', async () => {
  const url = await serve((request, response, attempt) => {
    if (attempt > 1) return sendRange(request, response)
    response.writeHead(200, { 'content-length': content.length })
    response.write(content.subarray(0, 1000))
  })
  await pull(url, { limits: { stallMs: 200, firstRetryDelayMs: 10 } })
  expect(await inPlace()).toBe(true)
})

it('refuses and removes a file with a wrong checksum', async () => {
  const wrong = Buffer.alloc(content.length, 'wrong')
  const url = await serve((request, response) => sendRange(request, response, wrong.length, wrong))
  await expect(pull(url)).rejects.toMatchObject({
    code: 'download-failed',
    message: expect.stringContaining('another SHA-256 checksum'),
  })
  expect(existsSync(destination)).toBe(false)
  expect(existsSync(`${destination}.part`)).toBe(false)
})

it('refuses a file of a wrong size before it downloads it', async () => {
  const url = await serve((_request, response) => {
    response.writeHead(200, { 'content-length': 12 })
    response.end('a login page')
  })
  await expect(pull(url)).rejects.toMatchObject({
    code: 'download-failed',
    message: expect.stringMatching(/has 12 bytes, 20 or 3000000 are expected$/),
  })
  expect(requests).toHaveLength(1)
})

it.each([
  [401, 'a token is needed', 1],
  [403, 'a token is needed', 1],
  [404, 'the file must be there', 1],
  [503, 'answered 503', 3],
])('tells of a %i', async (status, words, attempts) => {
  const url = await serve((_request, response) => response.writeHead(status).end())
  await expect(pull(url)).rejects.toMatchObject({
    code: 'download-failed',
    message: expect.stringContaining(words),
    hint: expect.stringMatching(/\w/),
  })
  expect(requests).toHaveLength(attempts)
})

it('tells at once that there is no connection', async () => {
  const url = await serve(() => undefined)
  await new Promise((resolve) => server?.close(resolve))
  await expect(pull(url)).rejects.toMatchObject({
    code: 'download-failed',
    message: `Cannot download the model: ${new URL(url).host} refuses connections`,
    hint: expect.stringContaining('--test-model'),
  })
})

it('sends the token to the first host alone and never logs it', async () => {
  const other = createServer((request, response) => {
    requests.push(request)
    sendRange(request, response)
  })
  const target = `${await listen(other)}/cdn`
  try {
    const url = await serve((_request, response) =>
      response.writeHead(302, { location: target }).end(),
    )
    await pull(url, { token: 'hf_secret' })
    expect(await inPlace()).toBe(true)
    expect(requests.map((request) => request.headers.authorization)).toEqual([
      'Bearer hf_secret',
      undefined,
    ])
    await rm(destination)
    const broken = await pull('http://127.0.0.1:1/', { token: 'hf_secret' }).catch(
      (e: unknown) => e,
    )
    expect(inspect(broken, { depth: 20 })).toContain('refuses connections')
    expect(`${logged.join()}${inspect(broken, { depth: 20 })}`).not.toContain('hf_secret')
  } finally {
    other.closeAllConnections()
    await new Promise((resolve) => other.close(resolve))
  }
})

it('does not begin what the disk cannot hold', async () => {
  const url = await serve((request, response) => sendRange(request, response))
  const tooLarge = [{ bytes: 2 ** 52, sha256: '0'.repeat(64) }]
  await expect(pull(url, { expected: tooLarge })).rejects.toMatchObject({ code: 'disk-full' })
  expect(requests).toHaveLength(0)
})
