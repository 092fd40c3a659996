/** The public port over real sockets, in front of a plain HTTP server that plays the engine. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { rename, rm } from 'node:fs/promises'
import http from 'node:http'
import type { Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { FakeClock, settle } from '../helpers/fake-clock.ts'
import {
  answerOf,
  bodyOf,
  chunkOf,
  errorOf,
  failureOf,
  loading,
  portOf,
  readAnswer,
  responseOf,
  rigLimits,
  startRig,
  until,
} from '../helpers/proxy-rig.ts'

const hash = (data: Buffer): string => createHash('sha256').update(data).digest('hex')
const refuse: http.RequestListener = () => {
  throw new Error('the engine was asked')
}

async function textOf(socket: Socket): Promise<string> {
  let text = ''
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
  })
  if (!socket.closed) await once(socket, 'close')
  return text
}

describe('what passes', () => {
  test.each([
    ['a body of known length', true],
    ['a body in chunks', false],
  ])('%s and its answer arrive byte for byte', async (_, known) => {
    await using rig = await startRig((req, res) => {
      void bodyOf(req).then((body) => res.end(body))
    })
    const body = randomBytes(3_000_000)
    const headers = known ? { 'Content-Length': body.length } : {}
    const request = rig.request('/v1/x?a=b%20c', { method: 'POST', headers })
    if (!known) request.write(body.subarray(0, 1000))
    const answer = await answerOf(request, known ? body : body.subarray(1000))
    expect(hash(answer.body)).toBe(hash(body))
    await until(() => rig.proxy.counts().served === 1)
    expect(rig.proxy.counts()).toMatchObject({ inFlight: 0, failed: 0 })
  })

  test('method, target and headers reach the engine, the client its own and nothing secret', async () => {
    let seen: http.IncomingMessage | undefined
    await using rig = await startRig((req, res) => {
      seen = req
      res.writeHead(418, 'Short', ['X-Two', '1', 'x-two', '2', 'Keep-Alive', 'timeout=5'])
      res.end('{}')
    })
    const long = 'l'.repeat(10_000)
    const answer = await answerOf(
      rig.request('/a/b?c=%2F', {
        method: 'PATCH',
        headers: ['Host', 'localhost', 'x-LONG', long, 'Authorization', 'Bearer s3cret'],
      }),
    )
    expect(seen).toMatchObject({ method: 'PATCH', url: '/a/b?c=%2F' })
    expect(seen?.rawHeaders.slice(0, 4)).toEqual(['Host', 'localhost', 'x-LONG', long])
    expect(seen?.rawHeaders.join()).not.toContain('s3cret')
    expect(answer.status).toBe(418)
    expect(answer.rawHeaders.slice(0, 4)).toEqual(['X-Two', '1', 'x-two', '2'])
    expect(answer.headers['keep-alive']).not.toBe('timeout=5')
  })

  test('the body of a chunked GET stays a body and becomes no second request', async () => {
    const urls: string[] = []
    await using rig = await startRig((req, res) => {
      urls.push(req.url ?? '')
      void bodyOf(req).then((body) => res.end(body))
    })
    const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n'
    const headers = { 'Transfer-Encoding': 'chunked' }
    const answer = await answerOf(rig.request('/a', { method: 'GET', headers }), smuggled)
    expect(answer.status).toBe(200)
    expect(urls).toEqual(['/a'])
    expect(answer.body.toString()).toBe(smuggled)
  })

  test('HEAD, 204 and an empty POST keep the connection in step', async () => {
    await using rig = await startRig((req, res) => {
      if (req.method === 'POST') res.writeHead(204).end()
      else res.writeHead(200, { 'Content-Length': 5 }).end('12345')
    })
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    const head = await answerOf(rig.request('/x', { method: 'HEAD', agent }))
    const empty = await answerOf(rig.request('/x', { method: 'POST', agent }))
    const get = await answerOf(rig.request('/x', { agent }))
    agent.destroy()
    expect([head.status, head.headers['content-length'], head.body.length]).toEqual([200, '5', 0])
    expect([empty.status, get.body.toString()]).toEqual([204, '12345'])
  })

  test('each event of a stream arrives before the engine writes the next', async () => {
    let engine: http.ServerResponse | undefined
    await using rig = await startRig((_req, res) => {
      engine = res
      res.writeHead(200, { 'Content-Type': 'text/event-stream' })
      res.flushHeaders()
    })
    const request = rig.request('/v1/chat/completions', { method: 'POST' })
    request.end('{}')
    const response = await responseOf(request)
    for (const word of ['one', 'two', 'three']) {
      engine?.write(`data: ${word}\n\n`)
      const chunk = await chunkOf(response)
      expect(chunk.toString()).toBe(`data: ${word}\n\n`)
    }
    engine?.end('data: [DONE]\n\n')
    expect((await readAnswer(response)).whole).toBe(true)
  })

  test('a client that waits for 100 Continue is told at once: its body is kept while it waits', async () => {
    await using rig = await startRig()
    const request = rig.request('/x', {
      method: 'POST',
      headers: { Expect: '100-continue', 'Content-Length': 5 },
    })
    request.on('continue', () => request.end('12345'))
    request.flushHeaders()
    await until(() => rig.proxy.counts().held === 1)
    await rig.startEngine((req, res) => {
      void bodyOf(req).then((body) => res.end(`${req.headers.expect}:${body.toString()}`))
    })
    rig.upstream.set(rig.ready)
    const response = await responseOf(request)
    expect((await readAnswer(response)).body.toString()).toBe('undefined:12345')
  })

  test('nor is it told to continue when the engine will not come', async () => {
    await using rig = await startRig()
    rig.upstream.set({ kind: 'unavailable', message: 'stopped', hint: 'Run oss20bd start' })
    const headers = { Expect: '100-continue', 'Content-Length': 5 }
    const request = rig.request('/x', { method: 'POST', headers })
    let continued = false
    request.on('continue', () => {
      continued = true
    })
    request.flushHeaders()
    const response = await responseOf(request)
    expect([response.statusCode, continued]).toEqual([503, false])
    request.destroy()
  })

  test('a client that offers HTTP/2 with its body, as those of Java do, is answered in HTTP/1.1', async () => {
    await using rig = await startRig((req, res) => {
      void bodyOf(req).then((body) => res.end(`${req.headers.upgrade}:${body.toString()}`))
    })
    const headers = {
      Connection: 'Upgrade, HTTP2-Settings',
      Upgrade: 'h2c',
      'HTTP2-Settings': 'AAMAAABkAAQCAAAA',
      'Content-Length': 4,
    }
    const answer = await answerOf(rig.request('/x', { method: 'POST', headers }), 'body')
    expect(answer.body.toString()).toBe('undefined:body')
  })

  test('an answer that comes before the body was read reaches the client, and the connection goes on', async () => {
    await using rig = await startRig((req, res) => {
      if (req.method === 'GET') return void res.end('next')
      res.writeHead(413, { Connection: 'close' })
      res.end('too much')
    })
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    const body = randomBytes(4_000_000)
    const early = await answerOf(rig.request('/x', { method: 'POST', agent }), body)
    const next = await answerOf(rig.request('/x', { agent }))
    agent.destroy()
    expect([early.status, early.body.toString()]).toEqual([413, 'too much'])
    expect(next.body.toString()).toBe('next')
  })
})

describe('backpressure', () => {
  const CHUNK = Buffer.alloc(64 * 1024)
  const BOUND_BYTES = 16 * 2 ** 20
  const smallKeep = { ...rigLimits, keepBytes: 2 ** 20 }

  /** Writes until the other side takes no more for many turns of the event loop; resolves to what was written. */
  async function fill(to: NodeJS.WritableStream): Promise<number> {
    const taken = { drained: true }
    to.on('drain', () => {
      taken.drained = true
    })
    let bytes = 0
    for (let turns = 0; turns < 500 && bytes < 4 * BOUND_BYTES; turns += 1) {
      while (taken.drained && bytes < 4 * BOUND_BYTES) {
        taken.drained = to.write(CHUNK)
        bytes += CHUNK.length
        turns = 0
      }
      await settle()
    }
    return bytes
  }

  test('a client that does not read stops the engine', async () => {
    let engine: http.ServerResponse | undefined
    await using rig = await startRig((_req, res) => {
      engine = res
      res.writeHead(200)
      res.flushHeaders()
    })
    const request = rig.request('/x')
    request.end()
    await once(request, 'response')
    expect(await fill(engine!)).toBeLessThan(BOUND_BYTES)
  })

  test('an engine that does not read stops the client', async () => {
    await using rig = await startRig(() => {}, { limits: smallKeep })
    const request = rig.request('/x', { method: 'POST' })
    expect(await fill(request)).toBeLessThan(BOUND_BYTES)
    expect(rig.proxy.counts().inFlight).toBe(1)
  })

  test('a held request is kept up to the limit and not read on', async () => {
    await using rig = await startRig(undefined, { limits: smallKeep })
    const request = rig.request('/x', { method: 'POST' })
    expect(await fill(request)).toBeLessThan(BOUND_BYTES)
    expect(rig.proxy.counts().held).toBe(1)
  })
})

describe('a client that leaves', () => {
  test.each([
    ['before the answer', false],
    ['in the middle of the answer', true],
  ])('%s cancels its request at the engine', async (_, answering) => {
    let cancelled: Promise<unknown> | undefined
    await using rig = await startRig((_req, res) => {
      cancelled = once(res, 'close')
      if (answering) res.write('data: x\n\n')
    })
    const request = rig.request('/x', { method: 'POST' })
    request.end('{}')
    if (answering) await once(request, 'response')
    await until(() => cancelled !== undefined)
    request.destroy()
    await cancelled
    await until(() => rig.proxy.counts().inFlight === 0)
    expect(rig.proxy.counts()).toMatchObject({ served: 0, failed: 0 })
  })

  test.each([0, 200_000])(
    'while it is held, with a body of %d bytes, is forgotten at once',
    async (length) => {
      await using rig = await startRig()
      const request = rig.request('/x', { method: 'POST' })
      await new Promise<void>((resolve) => {
        request.end(Buffer.alloc(length), () => resolve())
      })
      await until(() => rig.proxy.counts().held === 1)
      request.destroy()
      await until(() => rig.proxy.counts().held === 0)
      expect(rig.upstream.waiters).toBe(0)
      await rig.startEngine(refuse)
      rig.upstream.set(rig.ready)
      await settle()
      expect(rig.proxy.counts()).toMatchObject({ inFlight: 0, failed: 0 })
    },
  )
})

describe('an engine that is not there', () => {
  test('requests are held, bodies and all, and answered when it is ready', async () => {
    await using rig = await startRig()
    const body = randomBytes(1_000_000)
    const answers = [1, 2, 3].map(() => answerOf(rig.request('/x', { method: 'POST' }), body))
    await until(() => rig.proxy.counts().held === 3)
    await rig.startEngine((req, res) => {
      void bodyOf(req).then((read) => res.end(hash(read)))
    })
    rig.upstream.set(rig.ready)
    for (const answer of await Promise.all(answers)) {
      expect(answer.body.toString()).toBe(hash(body))
    }
    await until(() => rig.proxy.counts().served === 3)
    expect(rig.proxy.counts()).toMatchObject({ held: 0, failed: 0 })
  })

  test('many held at once are no reason for a warning', async () => {
    const warnings: string[] = []
    const note = (warning: Error): void => void warnings.push(warning.message)
    process.on('warning', note)
    await using rig = await startRig()
    const answers = Array.from({ length: 30 }, () => answerOf(rig.request('/x')))
    await until(() => rig.proxy.counts().held === 30)
    await rig.startEngine((_req, res) => res.end('ok'))
    rig.upstream.set(rig.ready)
    await Promise.all(answers)
    process.off('warning', note)
    expect(warnings).toEqual([])
  })

  test('a hold without progress ends in 503 with Retry-After, after one with progress did not', async () => {
    const clock = new FakeClock()
    await using rig = await startRig(undefined, { clock, holdTimeoutMs: 1000 })
    const answering = answerOf(rig.request('/x'))
    await until(() => rig.upstream.waiters === 1)
    rig.upstream.set(loading(0.1))
    await settle()
    await clock.advance(900)
    rig.upstream.set(loading(0.2))
    await clock.advance(900)
    expect(rig.proxy.counts()).toMatchObject({ held: 1, failed: 0 })
    await clock.advance(100)
    const answer = await answering
    expect(answer.status).toBe(503)
    expect(answer.headers['retry-after']).toBe('5')
    expect(errorOf(answer)).toMatchObject({ code: 'engine_not_ready', src: 'oss20bd' })
    expect(errorOf(answer).message).toContain('the model is loading')
    expect(rig.proxy.counts()).toMatchObject({ held: 0, failed: 1 })
  })

  test('one that will not come is said so at once, with what to run', async () => {
    await using rig = await startRig()
    rig.upstream.set({ kind: 'unavailable', message: 'stopped', hint: 'Run oss20bd start' })
    const answer = await answerOf(rig.request('/v1/chat/completions', { method: 'POST' }), '{}')
    expect(answer.status).toBe(503)
    expect(errorOf(answer)).toMatchObject({
      code: 'engine_unavailable',
      message: 'Cannot answer: stopped (Run oss20bd start)',
    })
  })

  test('one that turns out unavailable answers what is held', async () => {
    await using rig = await startRig()
    const answering = answerOf(rig.request('/x'))
    await until(() => rig.upstream.waiters === 1)
    rig.upstream.set({ kind: 'unavailable', message: 'gave up', hint: 'Run oss20bd why' })
    expect((await answering).status).toBe(503)
  })

  test('a socket that nobody listens on sends the request, whole, back to hold', async () => {
    await using rig = await startRig()
    rig.upstream.set(rig.ready)
    const body = randomBytes(500_000)
    const answering = answerOf(rig.request('/x', { method: 'POST' }), body)
    await until(() => rig.proxy.counts().held === 1)
    rig.upstream.set(loading())
    await rig.startEngine((req, res) => {
      void bodyOf(req).then((read) => res.end(hash(read)))
    })
    rig.upstream.set({ ...rig.ready, runId: 2 })
    expect((await answering).body.toString()).toBe(hash(body))
    await until(() => rig.proxy.counts().served === 1)
    expect(rig.proxy.counts().failed).toBe(0)
  })

  test('a socket file left by a dead engine is no different', async () => {
    await using rig = await startRig()
    const dead = await rig.startEngine(refuse)
    await rename(rig.socketPath, `${rig.socketPath}.left`)
    await new Promise((resolve) => dead.close(resolve))
    await rename(`${rig.socketPath}.left`, rig.socketPath)
    rig.upstream.set(rig.ready)
    const answering = answerOf(rig.request('/x'))
    await until(() => rig.proxy.counts().held === 1)
    await rm(rig.socketPath)
    await rig.startEngine((_req, res) => res.end('back'))
    // No change is announced: it tries again by itself.
    expect((await answering).body.toString()).toBe('back')
  })
})

describe('an engine that dies', () => {
  test('before it answered: the request, body and all, goes to the next one', async () => {
    let engines = 0
    await using rig = await startRig((req, res) => {
      engines += 1
      if (engines === 1) return void req.socket.destroy()
      void bodyOf(req).then((read) => res.end(hash(read)))
    })
    const body = randomBytes(900_000)
    const answer = await answerOf(rig.request('/x', { method: 'POST' }), body)
    expect(answer.body.toString()).toBe(hash(body))
    await until(() => rig.proxy.counts().served === 1)
    expect(rig.proxy.counts()).toMatchObject({ replayed: 1, failed: 0 })
  })

  test('twice with the same request: it is not sent again, and the connection goes on', async () => {
    let asked = 0
    await using rig = await startRig((req, res) => {
      if (req.url === '/live') return void res.end('ok')
      asked += 1
      req.socket.destroy()
    })
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    const request = rig.request('/die', { method: 'POST', agent })
    const dead = await answerOf(request, randomBytes(900_000))
    const live = await answerOf(rig.request('/live', { agent }))
    agent.destroy()
    expect([dead.status, asked]).toEqual([502, 2])
    expect(dead.headers['x-should-retry']).toBe('false')
    expect(errorOf(dead)).toMatchObject({ code: 'engine_died_twice', src: 'oss20bd' })
    expect(errorOf(dead).message).toMatch(/fingerprint [0-9a-f]{12}/)
    expect(live.body.toString()).toBe('ok')
  })

  test('with a body over the keep limit: it is said that it was not sent again', async () => {
    let asked = 0
    await using rig = await startRig(
      (req) => {
        asked += 1
        req.resume()
        req.on('end', () => req.socket.destroy())
      },
      { limits: { ...rigLimits, keepBytes: 1000 } },
    )
    const dead = await answerOf(rig.request('/x', { method: 'POST' }), randomBytes(900_000))
    expect([dead.status, asked]).toEqual([502, 1])
    expect(dead.headers['retry-after']).toBe('1')
    expect(errorOf(dead)).toMatchObject({ code: 'engine_died' })
    expect(errorOf(dead).message).toContain('too large to be kept')
  })

  test.each([
    ['of known length', { 'Content-Length': 100 }],
    ['in chunks', {}],
  ])('in the middle of an answer %s: the client sees it cut off', async (_, headers) => {
    await using rig = await startRig((req, res) => {
      res.writeHead(200, headers)
      res.write('half', () => req.socket.destroy())
    })
    const answer = await answerOf(rig.request('/x'))
    expect([answer.whole, answer.body.toString()]).toEqual([false, 'half'])
    expect(rig.proxy.counts()).toMatchObject({ served: 0, failed: 1 })
  })

  test('in the middle of an answer to HTTP/1.0, where an end is an end: the connection is reset', async () => {
    let engine: http.IncomingMessage | undefined
    await using rig = await startRig((req, res) => {
      engine = req
      res.write('half')
    })
    const socket = await rig.connect()
    const failed = failureOf(socket)
    socket.write('GET /x HTTP/1.0\r\n\r\n')
    const first = await chunkOf(socket)
    expect(first.toString()).toContain('HTTP/1.1 200')
    engine?.socket.destroy()
    expect(await failed).toBe('ECONNRESET')
  })

  test('between two events of a stream: a last event says so, and no [DONE] follows', async () => {
    await using rig = await startRig((req, res) => {
      res.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8' })
      // The end of the event comes in a write of its own.
      res.write('data: {"a":1}\n')
      res.write('\n', () => req.socket.destroy())
    })
    const answer = await answerOf(rig.request('/x', { method: 'POST' }), '{}')
    const text = answer.body.toString()
    expect(text).toMatch(/^data: \{"a":1\}\n\ndata: \{"error":.*"code":"engine_died".*\}\n\n$/)
    expect(text).not.toContain('[DONE]')
    expect(rig.proxy.counts()).toMatchObject({ served: 0, failed: 1 })
  })

  test('inside an event of a stream: the client sees it cut off', async () => {
    await using rig = await startRig((req, res) => {
      res.writeHead(200, { 'Content-Type': 'text/event-stream' })
      res.write('data: {"a":', () => req.socket.destroy())
    })
    const answer = await answerOf(rig.request('/x'))
    expect([answer.whole, answer.body.toString()]).toEqual([false, 'data: {"a":'])
  })
})

describe('who is let in', () => {
  test.each([
    ['a host of the internet', { Host: 'evil.example' }, 'proxy.allowedHosts'],
    ['a page of the internet', { Origin: 'https://evil.example' }, 'proxy.allowedOrigins'],
    ['a page without origin', { Origin: 'null' }, 'proxy.allowedOrigins'],
  ])('%s gets 403, also for our own endpoints', async (_, headers, key) => {
    await using rig = await startRig(refuse)
    for (const path of ['/v1/chat/completions', '/health', '/v1/models']) {
      const answer = await answerOf(rig.request(path, { headers }))
      expect(answer.status).toBe(403)
      expect(errorOf(answer).message).toContain(key)
      expect(answer.headers['access-control-allow-origin']).toBeUndefined()
    }
  })

  test('a page of a configured origin may ask and read', async () => {
    await using rig = await startRig((_req, res) => res.end('ok'), {
      allowedHosts: ['mac.home'],
      allowedOrigins: ['https://chat.example'],
    })
    const headers = { Host: 'mac.home:8020', Origin: 'https://chat.example' }
    expect((await answerOf(rig.request('/x', { headers }))).status).toBe(200)
    const models = await answerOf(rig.request('/v1/models', { headers }))
    expect(models.headers['access-control-allow-origin']).toBe('https://chat.example')
    const preflight = await answerOf(
      rig.request('/v1/models', {
        method: 'OPTIONS',
        headers: { ...headers, 'Access-Control-Request-Headers': 'authorization' },
      }),
    )
    expect(preflight.status).toBe(204)
    expect(preflight.headers['access-control-allow-headers']).toBe('authorization')
  })

  test.each([
    ['no Host', 'GET /x HTTP/1.1\r\n\r\n', 400],
    ['two Hosts', 'GET /x HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n', 400],
    ['an absolute target', 'GET http://evil/x HTTP/1.1\r\nHost: localhost\r\n\r\n', 400],
    ['a target with ..', 'GET /a/../b HTTP/1.1\r\nHost: localhost\r\n\r\n', 400],
    [
      'a length and chunks',
      'POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    [
      'an odd coding',
      'POST /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
      501,
    ],
    [
      'a WebSocket',
      'GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
      501,
    ],
    ['a tunnel', 'CONNECT evil:443 HTTP/1.1\r\nHost: localhost\r\n\r\n', 501],
    ['no HTTP', 'hello\r\n\r\n', 400],
    [
      'headers without end',
      `GET /x HTTP/1.1\r\nHost: localhost\r\nA: ${'a'.repeat(20_000)}\r\n\r\n`,
      431,
    ],
  ])('%s is refused in our own words', async (_, text, status) => {
    await using rig = await startRig(refuse)
    const socket = await rig.connect()
    socket.end(text)
    const [head, body] = (await textOf(socket)).split('\r\n\r\n')
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(JSON.parse(body ?? '')).toMatchObject({ error: { src: 'oss20bd' } })
  })

  test('a refused client that waits for 100 Continue is not told to continue', async () => {
    await using rig = await startRig(refuse)
    const headers = { Host: 'evil', Expect: '100-continue', 'Content-Length': 5 }
    const request = rig.request('/x', { method: 'POST', headers })
    request.on('continue', () => request.end('12345'))
    request.flushHeaders()
    const response = await responseOf(request)
    expect([response.statusCode, response.headers.connection]).toEqual([403, 'close'])
    response.resume()
  })
})

describe('our own endpoints', () => {
  test('they answer while the engine is down, and are never held', async () => {
    await using rig = await startRig()
    const health = await answerOf(rig.request('/health'))
    expect(health.status).toBe(503)
    expect(JSON.parse(health.body.toString())).toMatchObject({ status: 'loading' })
    const models = await answerOf(rig.request('/v1/models'))
    expect(JSON.parse(models.body.toString())).toMatchObject({
      data: [
        { id: 'gpt-oss-20b' },
        { id: 'gpt-oss-20b:low' },
        { id: 'gpt-oss-20b:medium' },
        { id: 'gpt-oss-20b:high' },
      ],
    })
    expect((await answerOf(rig.request('/metrics'))).status).toBe(404)
    expect((await answerOf(rig.request('/oss20bd/x'))).status).toBe(404)
    expect((await answerOf(rig.request('/health', { method: 'HEAD' }))).body).toHaveLength(0)
    expect((await answerOf(rig.request('/health', { method: 'POST' }))).status).toBe(405)
    expect((await answerOf(rig.request('/models', { method: 'POST' }))).status).toBe(403)
    expect(rig.proxy.counts()).toMatchObject({ held: 0, failed: 0, served: 0 })
  })

  test('health is 200 when the engine is ready, without asking it', async () => {
    await using rig = await startRig(refuse)
    const health = await answerOf(rig.request('/health'))
    expect([health.status, health.body.toString()]).toEqual([200, '{"status":"ok"}\n'])
  })
})

describe('the life of the port', () => {
  test('a taken port is one clear error that names who has it', async () => {
    const other = http.createServer()
    other.listen(0, '127.0.0.1')
    await once(other, 'listening')
    const port = portOf(other)
    await expect(
      startRig(refuse, { port, findPortHolder: async () => ({ pid: 12, name: 'ollama' }) }),
    ).rejects.toMatchObject({
      code: 'port-taken',
      message: `Cannot listen on port ${port}: ollama (pid 12) has it`,
    })
    await expect(
      startRig(refuse, { port, findPortHolder: () => Promise.reject(new Error('x')) }),
    ).rejects.toMatchObject({ code: 'port-taken' })
    other.close()
  })

  test('drain waits for the engine to answer, or says how many it left', async () => {
    const clock = new FakeClock()
    let engine: http.ServerResponse | undefined
    await using rig = await startRig(
      (_req, res) => {
        engine = res
      },
      { clock },
    )
    const answering = answerOf(rig.request('/x'))
    await until(() => engine !== undefined)
    rig.upstream.set(loading())
    const held = rig.request('/held')
    held.end()
    await until(() => rig.proxy.counts().held === 1)
    const given = rig.proxy.drain(5000)
    await clock.advance(5000)
    expect(await given).toEqual({ unfinished: 1 })
    expect(await rig.proxy.drain(5000, AbortSignal.abort())).toEqual({ unfinished: 1 })
    const waiting = rig.proxy.drain(5000)
    engine?.end('done')
    expect(await waiting).toEqual({ unfinished: 0 })
    expect((await answering).body.toString()).toBe('done')
    // One sleep is left, that of the held request.
    expect(clock.sleeping).toBe(1)
  })

  test('closing the connections to the engine sends its requests to the next one', async () => {
    let asked = 0
    await using rig = await startRig((_req, res) => {
      asked += 1
      if (asked === 2) res.end('the next one')
    })
    const answering = answerOf(rig.request('/x'))
    await until(() => asked === 1)
    rig.proxy.closeUpstream()
    expect((await answering).body.toString()).toBe('the next one')
  })

  test('close tells held requests, frees the port and leaves nothing open', async () => {
    await using rig = await startRig()
    const answering = answerOf(rig.request('/x', { agent: new http.Agent({ keepAlive: true }) }))
    await until(() => rig.proxy.counts().held === 1)
    await rig.proxy.close()
    expect(errorOf(await answering).code).toBe('stopping')
    await rig.proxy.close()
    const late = rig.request('/x')
    late.end()
    expect(await failureOf(late)).toBe('ECONNREFUSED')
  })
})
