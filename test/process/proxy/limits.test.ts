/** What a client may cost: time, connections, memory and bytes, however slowly it talks or listens. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import { setFlagsFromString } from 'node:v8'
import { setInterval } from 'node:timers/promises'
import { runInNewContext } from 'node:vm'
import { createInterface } from 'node:readline'
import { execa } from 'execa'
import { describe, expect, test } from 'vitest'
import {
  answerOf,
  bodyOf,
  chunkOf,
  errorOf,
  responseOf,
  type Rig,
  rigLimits,
  startRig,
  until,
} from '../../helpers/proxy-rig.ts'
import { codeOf, postText, rawAnswer, type RawClient, rawClient, requestText } from './raw.ts'

const MIB = 2 ** 20
const echo: http.RequestListener = (req, res) => {
  void bodyOf(req).then((body) => res.end(`${req.url}:${body.length}`))
}

/** The port answers, and nothing of what was done to it is left. */
async function expectSound(rig: Rig): Promise<void> {
  const next = await answerOf(rig.request('/sound', { method: 'POST' }), 'abc')
  expect([next.status, next.body.toString()]).toEqual([200, '/sound:3'])
  await until(() => rig.proxy.counts().inFlight === 0)
  expect(rig.log.messages('error')).toEqual([])
}

/** A byte every 10 ms until there is an answer. */
async function drip(client: RawClient, bytes: string): Promise<void> {
  let sent = 0
  for await (const _ of setInterval(10)) {
    if (client.isTold || sent === bytes.length) return
    client.send(bytes[sent] ?? '')
    sent += 1
  }
}

describe('clients that talk slowly', () => {
  const limits = { ...rigLimits, headersTimeoutMs: 300, uploadTimeoutMs: 300 }

  test.each([
    ['nothing at all', ''],
    ['half a line', 'GET /x HT'],
    ['a head without end', 'GET /x HTTP/1.1\r\nHost: localhost\r\nA: b'],
  ])('%s is waited for only so long, and others are answered meanwhile', async (_, bytes) => {
    await using rig = await startRig(echo, { limits })
    const client = await rawClient(rig)
    client.send(bytes)
    await expectSound(rig)
    const answer = await client.answer()
    expect([answer?.status, codeOf(answer)]).toEqual([408, 'headers_too_slow'])
    expect(answer?.body).toContain('its headers took over 300 ms')
    expect(await client.rest()).toBe('')
    await expectSound(rig)
  })

  test('a head that comes byte by byte is no faster for it', async () => {
    await using rig = await startRig(echo, { limits })
    const client = await rawClient(rig)
    await drip(client, requestText('GET /x', [`X-A: ${'a'.repeat(2000)}`]))
    expect(codeOf(await client.answer())).toBe('headers_too_slow')
    await expectSound(rig)
  })

  test.each([
    ['of known length', requestText('POST /v1/completions', ['Content-Length: 2000'])],
    ['in chunks', requestText('POST /v1/completions', ['Transfer-Encoding: chunked'])],
  ])('a body %s that stops is 408, as is one that comes byte by byte', async (_, head) => {
    await using rig = await startRig(echo, { limits })
    const chunks = '1\r\nx\r\n'.repeat(500)
    for (const rest of ['', chunks]) {
      const client = await rawClient(rig)
      client.send(head)
      await drip(client, rest)
      const answer = await client.answer()
      expect([answer?.status, codeOf(answer)]).toEqual([408, 'body_too_slow'])
      expect(answer?.body).toMatch(/(nothing|only \d+ B) of its body came for 300 ms/)
      client.socket.destroy()
    }
    await until(() => rig.proxy.counts().inFlight === 0)
    await expectSound(rig)
  })

  test('one that is passed on as it comes gives its slot back when it drips', async () => {
    let engineClosed: Promise<void> | undefined
    const listener: http.RequestListener = (req, res) => {
      if (req.url === '/sound') return echo(req, res)
      engineClosed ??= new Promise((done) => req.once('close', done))
      req.on('error', () => {}).resume()
    }
    await using rig = await startRig(listener, { limits: { ...limits, keepBytes: 1000 } })
    rig.proxy.setSlots(1)
    const client = await rawClient(rig)
    client.send(requestText('POST /v1/completions', ['Content-Length: 9000'], 'x'.repeat(1500)))
    await until(() => engineClosed !== undefined)
    const waiting = await rawClient(rig)
    waiting.send(postText('/v1/completions'))
    await until(() => rig.proxy.waiting().length === 1)
    await drip(client, 'x'.repeat(2000))
    expect(codeOf(await client.answer())).toBe('body_too_slow')
    await engineClosed
    await until(() => rig.proxy.waiting().length === 0)
    waiting.socket.destroy()
    await expectSound(rig)
  })
})

describe('bodies that are too large', () => {
  const limits = { ...rigLimits, bodyBytes: 1_000_000, keepBytes: 100_000 }
  const refuse: http.RequestListener = (req, res) => {
    if (req.url === '/sound') return echo(req, res)
    req.resume().on('end', () => res.end('the whole of it came'))
  }

  test('by their length: 413 before a byte is read, also to a client that waits for 100 Continue', async () => {
    await using rig = await startRig(refuse, { limits })
    for (const headers of [[], ['Expect: 100-continue']]) {
      const text = requestText('POST /v1/completions', ['Content-Length: 1000001', ...headers])
      const answer = await rawAnswer(rig, text)
      expect([answer?.status, codeOf(answer)]).toEqual([413, 'body_too_large'])
      expect(answer?.body).toContain('over the limit of')
    }
    expect(rig.answers).toEqual([])
    await expectSound(rig)
  })

  test('by what comes in chunks: 413, and the engine never takes the part for the whole', async () => {
    await using rig = await startRig(refuse, { limits })
    const answer = await answerOf(
      rig.request('/x', { method: 'POST', headers: { 'Transfer-Encoding': 'chunked' } }),
      randomBytes(1_500_000),
    )
    expect([answer.status, errorOf(answer).code]).toEqual([413, 'body_too_large'])
    expect(rig.answers).toEqual([])
    await expectSound(rig)
  })

  test('a client that has sent all of it reads the answer and may use its connection again', async () => {
    await using rig = await startRig(refuse, { limits })
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    const body = randomBytes(20_000_000)
    const large = await answerOf(rig.request('/x', { method: 'POST', agent }), body)
    const next = await answerOf(rig.request('/sound', { method: 'POST', agent }), 'abc')
    agent.destroy()
    expect([large.status, next.status]).toEqual([413, 200])
    await expectSound(rig)
  })

  test.each([
    ['refused by its length', requestText('POST /x', [`Content-Length: ${2 ** 30}`])],
    ['to a closed endpoint', requestText('POST /props', [`Content-Length: ${2 ** 30}`])],
    ['to an endpoint of ours', requestText('POST /health', [`Content-Length: ${2 ** 30}`])],
    ['of a foreign host', `POST /x HTTP/1.1\r\nHost: evil\r\nContent-Length: ${2 ** 30}\r\n\r\n`],
  ])('1 GiB %s is not read to its end', async (_, head) => {
    await using rig = await startRig(refuse, { limits })
    const client = await rawClient(rig)
    client.send(head)
    expect((await client.answer())?.status).toBeGreaterThanOrEqual(400)
    const piece = Buffer.alloc(MIB)
    let sentMib = 0
    for (; sentMib < 1024 && !client.closed; sentMib += 1) {
      if (client.socket.write(piece)) continue
      await Promise.race([once(client.socket, 'drain'), client.rest()]).catch(() => undefined)
    }
    await client.rest()
    expect(sentMib).toBeLessThan(300)
    await expectSound(rig)
  })
})

describe('connections', () => {
  test('beyond the bound are closed at once; those within it are served, and one that ends makes room', async () => {
    await using rig = await startRig(echo, { limits: { ...rigLimits, connections: 20 } })
    const clients = await Promise.all(Array.from({ length: 20 }, () => rawClient(rig)))
    const late = await rawClient(rig)
    expect(await late.rest()).toBe('')
    for (const client of clients) {
      expect((await client.send(postText('/x')).answer())?.body).toBe('/x:2')
    }
    clients[0]?.socket.destroy()
    await until(() => clients[0]?.closed === true)
    // The port learns of the end when it next looks at its sockets.
    await expect.poll(async () => (await rawAnswer(rig, postText('/x')))?.body).toBe('/x:2')
    for (const client of clients) client.socket.destroy()
  })

  test('10,000 idle ones cost little, and others are answered meanwhile', async () => {
    const wanted = Math.min(10_000, openFilesLimit() - 1000)
    await using rig = await startRig(echo)
    const before = process.memoryUsage()
    const script = new URL('idle-clients.mjs', import.meta.url).pathname
    const idle = execa(process.execPath, [script, String(rig.port), String(wanted)], {
      buffer: false,
      forceKillAfterDelay: 2000,
    })
    const lines = createInterface({ input: idle.stdout })
    const [line] = await once(lines, 'line')
    expect(Number(line)).toBe(wanted)
    const now = process.memoryUsage()
    const kib = Math.round((now.rss - before.rss) / wanted / 1024)
    const latenciesMs: number[] = []
    for (let count = 0; count < 50; count += 1) {
      const startedMs = performance.now()
      await answerOf(rig.request('/x', { method: 'POST' }), 'abc')
      latenciesMs.push(performance.now() - startedMs)
    }
    expect(kib).toBeLessThan(32)
    expect(latenciesMs.toSorted((one, other) => one - other)[25]).toBeLessThan(100)
    idle.stdin.end()
    await idle
    await expectSound(rig)
  })
})

function openFilesLimit(): number {
  const report: { userLimits?: { open_files?: { hard: number | string } } } = JSON.parse(
    JSON.stringify(process.report.getReport()),
  )
  const hard = report.userLimits?.open_files?.hard
  return typeof hard === 'number' ? hard : 1_000_000
}

/**
 * What lives on after a collection, in the one process that is client, port and engine at once.
 * V8 frees the memory of buffers that a collection found dead beside the running code; the next
 * collection waits for that, so only after a second one is the figure what lives.
 */
function usedBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  collect()
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const STREAMED_BYTES = 200 * MIB
/** What lies in sockets, streams and the 8 MiB that an event may have, on both sides of the port. */
const MAX_GROWTH_BYTES = 64 * MIB

/** Writes `piece` again and again at the pace of the other side. */
async function pour(to: NodeJS.WritableStream, piece: Buffer, totalBytes: number): Promise<void> {
  for (let sent = 0; sent < totalBytes; sent += piece.length) {
    if (!to.write(piece)) await once(to, 'drain')
  }
}

/** Reads all of it, standing still after each MiB while others run; resolves to its length and the most memory used. */
async function sip(
  from: NodeJS.ReadableStream & { pause(): unknown; resume(): unknown },
): Promise<{ bytes: number; mostBytes: number }> {
  let bytes = 0
  let mostBytes = 0
  let nextStop = MIB
  let stops = 0
  from.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes < nextStop) return
    nextStop += MIB
    stops += 1
    if (stops % 20 === 0) mostBytes = Math.max(mostBytes, usedBytes())
    from.pause()
    void new Promise((done) => setImmediate(done)).then(() => from.resume())
  })
  await once(from, 'end')
  return { bytes, mostBytes: Math.max(mostBytes, usedBytes()) }
}

const chatEvent = (content: string): Buffer =>
  Buffer.from(
    `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', choices: [{ index: 0, delta: { content }, finish_reason: null }] })}\n\n`,
  )

describe('memory', () => {
  const streams: readonly [string, string, string, Buffer][] = [
    ['a plain answer', '/x', '{}', randomBytes(64 * 1024)],
    ['a chat stream', '/v1/chat/completions', '{"stream":true,"messages":[]}', chatEvent('word ')],
    [
      'a chat stream of large events',
      '/v1/chat/completions',
      '{"stream":true,"messages":[]}',
      chatEvent('word '.repeat(20_000)),
    ],
    [
      'a chat stream without the end of an event',
      '/v1/chat/completions',
      '{"stream":true,"messages":[]}',
      Buffer.alloc(64 * 1024, 'x'),
    ],
  ]

  test.each(streams)(
    '%s of 200 MB goes to a slow client without being kept',
    async (_, path, body, piece) => {
      const type = {
        'Content-Type': path === '/x' ? 'application/octet-stream' : 'text/event-stream',
      }
      // Many small events in one write, as a fast engine would give them.
      const together = Buffer.concat(
        Array.from({ length: Math.ceil(32_768 / piece.length) }, () => piece),
      )
      await using rig = await startRig((req, res) => {
        if (req.url === '/sound') return echo(req, res)
        req.resume()
        res.writeHead(200, type)
        void pour(res, together, STREAMED_BYTES).then(() => res.end('data: [DONE]\n\n'))
      })
      const beforeBytes = usedBytes()
      const request = rig.request(path, { method: 'POST' })
      request.end(body)
      const response = await responseOf(request)
      const { bytes, mostBytes } = await sip(response)
      expect(bytes).toBeGreaterThanOrEqual(STREAMED_BYTES)
      expect(mostBytes - beforeBytes).toBeLessThan(MAX_GROWTH_BYTES)
      await expectSound(rig)
    },
  )

  test.each(streams)('%s stops where its client reads no more', async (_, path, body, piece) => {
    const type = {
      'Content-Type': path === '/x' ? 'application/octet-stream' : 'text/event-stream',
    }
    const together = Buffer.concat(
      Array.from({ length: Math.ceil(32_768 / piece.length) }, () => piece),
    )
    let takenBytes = 0
    let stalled = false
    let closed: Promise<unknown> | undefined
    await using rig = await startRig((req, res) => {
      if (req.url === '/sound') return echo(req, res)
      closed = once(res, 'close')
      req.resume()
      res.writeHead(200, type)
      const write = (): void => {
        stalled = false
        while (!stalled && takenBytes < STREAMED_BYTES) {
          stalled = !res.write(together)
          takenBytes += together.length
        }
      }
      res.on('drain', write)
      write()
    })
    const client = await rawClient(rig)
    client.send(postText(path, body))
    await chunkOf(client.socket)
    client.socket.pause()
    const beforeBytes = usedBytes()
    let quietTurns = 0
    for (let last = -1; quietTurns < 2000; last = takenBytes) {
      quietTurns = stalled && last === takenBytes ? quietTurns + 1 : 0
      await new Promise((done) => setImmediate(done))
    }
    expect(takenBytes).toBeLessThan(24 * MIB)
    expect(usedBytes() - beforeBytes).toBeLessThan(MAX_GROWTH_BYTES)
    expect((await rawAnswer(rig, postText('/sound')))?.body).toBe('/sound:2')
    client.socket.destroy()
    await closed
    await expectSound(rig)
  })

  test.each([
    ['of known length', { 'Content-Length': STREAMED_BYTES }],
    ['in chunks', { 'Transfer-Encoding': 'chunked' }],
  ])('a body of 200 MB %s goes to a slow engine without being kept', async (_, headers) => {
    const limits = { ...rigLimits, bodyBytes: 300 * MIB, keepBytes: MIB }
    let read: Promise<{ bytes: number; mostBytes: number }> | undefined
    await using rig = await startRig(
      (req, res) => {
        if (req.url === '/sound') return echo(req, res)
        read = sip(req)
        void read.then(({ bytes }) => res.end(String(bytes)))
      },
      { limits },
    )
    const beforeBytes = usedBytes()
    const request = rig.request('/v1/completions', { method: 'POST', headers })
    await pour(request, Buffer.alloc(MIB, 'x'), STREAMED_BYTES)
    const answer = await answerOf(request)
    expect(answer.body.toString()).toBe(String(STREAMED_BYTES))
    expect(((await read)?.mostBytes ?? 0) - beforeBytes).toBeLessThan(MAX_GROWTH_BYTES)
    await expectSound(rig)
  })

  test('an answer that comes slower than its client reads arrives piece by piece', async () => {
    let engine: http.ServerResponse | undefined
    await using rig = await startRig((req, res) => {
      if (req.url === '/sound') return echo(req, res)
      engine = res
      res.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders()
    })
    const client = await rawClient(rig)
    client.send(postText('/v1/chat/completions', '{"stream":true}'))
    await until(() => engine !== undefined)
    await chunkOf(client.socket)
    for (const letter of 'data: {"choices":[]}\n') engine?.write(letter)
    engine?.write('\n')
    expect((await chunkOf(client.socket)).toString()).toContain('data: {"choices":[]}\n\n')
    engine?.end('data: [DONE]\n\n')
    expect((await client.answer())?.body).toBe('data: {"choices":[]}\n\ndata: [DONE]\n\n')
    await expectSound(rig)
  })
})
