import { once } from 'node:events'
import http from 'node:http'
import { connect, type Socket } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteBudget } from '../../../src/proxy/admission/byte-budget.ts'
import type { BodySink, Passing } from '../../../src/proxy/admission/large-body.ts'
import {
  type BodyOutcome,
  keepBody,
  type KeepOptions,
  type KeptBody,
  type LargeBody,
  type WholeBody,
} from '../../../src/proxy/kept-body.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { portOf, until } from '../../helpers/proxy-rig.ts'

interface Arrived {
  readonly req: http.IncomingMessage
  readonly res: http.ServerResponse
  readonly kept: KeptBody
  /** It was there before anything else could happen. */
  readonly sameTurn: Promise<boolean>
}

/** A server that keeps the body of each request, `late` when something else comes first, and does nothing more. */
async function startServer(
  changes: Partial<KeepOptions> = {},
  late?: (req: http.IncomingMessage) => Promise<void>,
) {
  const clock = new FakeClock()
  const budget = new ByteBudget(1_000_000)
  const options: KeepOptions = {
    limitBytes: 100_000,
    maxBytes: 1_000_000,
    uploadTimeoutMs: 30_000,
    budget,
    clock,
    ...changes,
  }
  const arrived: Arrived[] = []
  const sockets: Socket[] = []
  const clients: Socket[] = []
  const onRequest = async (req: http.IncomingMessage, res: http.ServerResponse): Promise<void> => {
    req.on('error', () => {})
    if (late !== undefined) await late(req)
    const kept = keepBody(req, options)
    let settled = false
    void kept.outcome.finally(() => (settled = true))
    const sameTurn = new Promise<boolean>((resolve) => {
      setImmediate(() => resolve(settled))
    })
    arrived.push({ req, res, kept, sameTurn })
  }
  const server = http.createServer((req, res) => void onRequest(req, res))
  server.on('checkContinue', (req: http.IncomingMessage, res: http.ServerResponse) => {
    res.writeContinue()
    void onRequest(req, res)
  })
  server.on('connection', (socket: Socket) => sockets.push(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const port = portOf(server)
  return {
    clock,
    budget: options.budget,
    arrived,
    open: async (): Promise<{ client: Socket; socket: Socket }> => {
      const client = connect(port, '127.0.0.1')
      client.setNoDelay()
      client.on('error', () => {})
      client.on('data', () => {})
      clients.push(client)
      await Promise.all([once(client, 'connect'), once(server, 'connection')])
      return { client, socket: sockets.at(-1)! }
    },
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) client.destroy()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

type Rig = Awaited<ReturnType<typeof startServer>>

/** Sends the pieces, each only when the server has read those before. */
async function send(rig: Rig, pieces: readonly (string | Buffer)[]): Promise<Arrived> {
  const { client, socket } = await rig.open()
  const count = rig.arrived.length
  let sentBytes = 0
  for (const piece of pieces) {
    await until(() => socket.bytesRead === sentBytes)
    client.write(piece)
    sentBytes += piece.length
  }
  await until(() => rig.arrived.length > count)
  return rig.arrived.at(-1)!
}

const HEAD = 'POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n'
const sized = (lengthBytes: number): string => `${HEAD}Content-Length: ${lengthBytes}\r\n\r\n`
const CHUNKED = `${HEAD}Transfer-Encoding: chunked\r\n\r\n`
const chunk = (bytes: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')])
const END = '0\r\n\r\n'

/** Bytes of which none looks like its neighbour. */
const bytesOf = (lengthBytes: number): Buffer =>
  Buffer.from(Uint8Array.from({ length: lengthBytes }, (_, index) => (index * 7 + 3) % 251))

function whole(outcome: BodyOutcome): WholeBody {
  if (outcome.kind !== 'whole') throw new Error(`it is ${outcome.kind}`)
  return outcome
}

function large(outcome: BodyOutcome): LargeBody {
  if (outcome.kind !== 'too-large') throw new Error(`it is ${outcome.kind}`)
  return outcome
}

const closed = (req: http.IncomingMessage): Promise<void> =>
  new Promise((resolve) => {
    req.once('close', () => resolve())
  })

const contentOf = (outcome: BodyOutcome): Buffer => Buffer.concat(whole(outcome).pieces)

/** Takes everything, or only as much as it is told. */
class Sink implements BodySink {
  readonly pieces: Buffer[] = []
  ended = false
  failure: string | undefined
  takes = true

  get lengthBytes(): number {
    return this.pieces.reduce((sum, { length }) => sum + length, 0)
  }

  write(bytes: Buffer): boolean {
    this.pieces.push(bytes)
    return this.takes
  }

  end(): void {
    this.ended = true
  }

  failed(failure: { kind: string }): void {
    this.failure = failure.kind
  }
}

describe('a body that is kept', () => {
  test('is there in the same turn when it came with its head', async () => {
    await using rig = await startServer()
    for (const bytes of [bytesOf(300), bytesOf(20_000)]) {
      for (const message of [
        [Buffer.from(sized(bytes.length)), bytes],
        [Buffer.from(CHUNKED), chunk(bytes), Buffer.from(END)],
      ]) {
        const { kept, sameTurn } = await send(rig, [Buffer.concat(message)])
        expect(contentOf(await kept.outcome).equals(bytes)).toBe(true)
        expect(await sameTurn).toBe(true)
        expect(rig.clock.sleeping).toBe(0)
        kept.release()
      }
    }
  })

  test.each([
    ['no body', `${HEAD}\r\n`],
    ['an empty one', sized(0)],
    ['no chunk', `${CHUNKED}${END}`],
  ])('may be %s', async (_name, message) => {
    await using rig = await startServer()
    const { kept } = await send(rig, [message])
    expect(await kept.outcome).toEqual({ kind: 'whole', pieces: [], lengthBytes: 0 })
  })

  test('is whole wherever the network cuts it', async () => {
    const body = bytesOf(40)
    const message = (isChunked: boolean): Buffer =>
      isChunked
        ? Buffer.concat([
            Buffer.from(CHUNKED),
            chunk(body.subarray(0, 13)),
            chunk(body.subarray(13)),
            Buffer.from(END),
          ])
        : Buffer.concat([Buffer.from(sized(body.length)), body])
    await using rig = await startServer()
    for (const all of [message(true), message(false)]) {
      for (let cut = 1; cut < all.length; cut += 1) {
        const { kept } = await send(rig, [all.subarray(0, cut), all.subarray(cut)])
        expect(contentOf(await kept.outcome).equals(body)).toBe(true)
        kept.release()
      }
    }
    expect(rig.budget.keptBytes).toBe(0)
    expect(rig.clock.sleeping).toBe(0)
  })

  test('is whole however many pieces and chunks it comes in', async () => {
    await using rig = await startServer()
    const cuts = fc.array(fc.integer({ min: 1, max: 20_000 }), { maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(fc.nat(90_000), cuts, fc.boolean(), async (length, lengths, isChunked) => {
        const body = bytesOf(length)
        const pieces: Buffer[] = []
        let from = 0
        for (const size of [...lengths, length]) {
          const piece = body.subarray(from, from + size)
          from += size
          if (piece.length > 0) pieces.push(isChunked ? chunk(piece) : piece)
        }
        const framed = isChunked ? [CHUNKED, ...pieces, END] : [sized(length), ...pieces]
        const { kept } = await send(rig, framed)
        const outcome = whole(await kept.outcome)
        expect(outcome.lengthBytes).toBe(length)
        expect(Buffer.concat(outcome.pieces).equals(body)).toBe(true)
        kept.release()
      }),
      { numRuns: 40 },
    )
    expect(rig.budget.keptBytes).toBe(0)
  })

  test('may be asked for late, when all of it is here', async () => {
    await using rig = await startServer({}, (req) => until(() => req.complete))
    const body = bytesOf(9000)
    for (const framed of [
      [sized(body.length), body],
      [CHUNKED, chunk(body.subarray(9)), chunk(body.subarray(0, 9)), END],
    ]) {
      const { kept } = await send(rig, framed)
      expect(whole(await kept.outcome).lengthBytes).toBe(body.length)
      kept.release()
    }
    expect(rig.budget.keptBytes).toBe(0)
  })

  test('may be exactly as large as the limit', async () => {
    await using rig = await startServer()
    const body = bytesOf(100_000)
    const known = await send(rig, [sized(body.length), body])
    expect(contentOf(await known.kept.outcome).equals(body)).toBe(true)
    const chunked = await send(rig, [CHUNKED, chunk(body), END])
    expect(contentOf(await chunked.kept.outcome).equals(body)).toBe(true)
  })

  test('comes after 100 Continue when its client waits for that', async () => {
    await using rig = await startServer()
    const { client } = await rig.open()
    client.write(`${HEAD}Content-Length: 4\r\nExpect: 100-continue\r\n\r\n`)
    const [told] = await once(client, 'data')
    expect(String(told)).toMatch(/^HTTP\/1.1 100 /)
    client.write('late')
    expect(String(contentOf(await rig.arrived[0]!.kept.outcome))).toBe('late')
  })

  test('leaves its connection usable for the next request', async () => {
    await using rig = await startServer()
    const { client } = await rig.open()
    for (const text of ['one', 'two', 'three']) {
      client.write(`${sized(text.length)}${text}`)
      await until(() => rig.arrived.length > 0)
      const { kept, res } = rig.arrived.pop()!
      expect(String(contentOf(await kept.outcome))).toBe(text)
      res.end()
      await once(client, 'data')
    }
  })

  test('lets its client be seen to leave, at once, while it waits', async () => {
    await using rig = await startServer()
    const body = bytesOf(90_000)
    for (const leave of ['destroy', 'resetAndDestroy'] as const) {
      const { client } = await rig.open()
      const count = rig.arrived.length
      client.write(Buffer.concat([Buffer.from(sized(body.length)), body]))
      await until(() => rig.arrived.length > count)
      const { kept, res } = rig.arrived.at(-1)!
      expect((await kept.outcome).kind).toBe('whole')
      client[leave]()
      await once(res, 'close')
      expect(res.writableEnded).toBe(false)
    }
  })
})

describe('the bytes kept by all requests', () => {
  test('are counted as they come, and given back once', async () => {
    await using rig = await startServer()
    const { client } = await rig.open()
    client.write(`${sized(10)}1234`)
    await until(() => rig.budget.keptBytes === 4)
    client.write('567890')
    const { kept } = rig.arrived[0]!
    await kept.outcome
    expect(rig.budget.keptBytes).toBe(10)
    kept.release()
    kept.release()
    expect(rig.budget.keptBytes).toBe(0)
  })

  test('bound the next one: of known length before it is read, else as soon as it is too much', async () => {
    await using rig = await startServer({ budget: new ByteBudget(100) })
    const first = await send(rig, [sized(60), bytesOf(60)])
    await first.kept.outcome
    const known = await send(rig, [sized(41)])
    expect(await known.kept.outcome).toEqual({
      kind: 'over-budget',
      message:
        'Cannot keep the request: bodies of other requests take 60 B of memory already, all together may take 100 B',
      hint: 'try again in a moment; oss20bd status shows who waits',
    })
    const chunked = await send(rig, [CHUNKED, chunk(bytesOf(30)), chunk(bytesOf(30))])
    expect((await chunked.kept.outcome).kind).toBe('over-budget')
    expect(rig.budget.keptBytes).toBe(60)
    first.kept.release()
    const next = await send(rig, [sized(41), bytesOf(41)])
    expect((await next.kept.outcome).kind).toBe('whole')
  })

  test('are given back when the request is over before its body is here', async () => {
    await using rig = await startServer()
    const { client } = await rig.open()
    client.write(`${sized(10)}1234`)
    await until(() => rig.budget.keptBytes === 4)
    const { kept } = rig.arrived[0]!
    kept.release()
    expect(await kept.outcome).toEqual({ kind: 'aborted' })
    expect(rig.budget.keptBytes).toBe(0)
    await rig.clock.advance(0)
    expect(rig.clock.sleeping).toBe(0)
  })
})

describe('a body that does not come whole', () => {
  test.each([
    ['known length', [sized(100), 'some']],
    ['chunked', [CHUNKED, chunk(bytesOf(20))]],
    ['chunked without its end', [CHUNKED, chunk(bytesOf(20)), '0\r\n']],
    ['broken chunks', [CHUNKED, 'zz\r\n']],
  ])('because its client leaves or breaks off: %s', async (_name, pieces) => {
    await using rig = await startServer()
    for (const leave of ['destroy', 'resetAndDestroy', 'end'] as const) {
      const { client } = await rig.open()
      const count = rig.arrived.length
      for (const piece of pieces) client.write(piece)
      await until(() => rig.arrived.length > count)
      client[leave]()
      const { kept } = rig.arrived.at(-1)!
      expect(await kept.outcome).toEqual({ kind: 'aborted' })
      expect(rig.budget.keptBytes).toBe(0)
    }
    await rig.clock.advance(0)
    expect(rig.clock.sleeping).toBe(0)
  })

  test('because its client had left before it was asked for', async () => {
    await using rig = await startServer({}, closed)
    const { client, socket } = await rig.open()
    const message = `${sized(100)}some`
    client.write(message)
    await until(() => socket.bytesRead === message.length)
    client.destroy()
    await until(() => rig.arrived.length > 0)
    expect(await rig.arrived[0]!.kept.outcome).toEqual({ kind: 'aborted' })
  })

  test('because it is larger than it may be: refused before a byte is read', async () => {
    await using rig = await startServer()
    const { kept, req } = await send(rig, [sized(1_000_001)])
    expect(await kept.outcome).toEqual({
      kind: 'refused-size',
      message: 'Cannot take the request: its body of 976.6 KiB is over the limit of 976.6 KiB',
      hint: 'send less, or raise the limit in the config',
    })
    expect(req.readableFlowing).not.toBe(true)
  })

  test('because its chunks grow larger than it may be', async () => {
    await using rig = await startServer({ limitBytes: 900, maxBytes: 500 })
    const { kept } = await send(rig, [CHUNKED, chunk(bytesOf(400)), chunk(bytesOf(101))])
    expect(await kept.outcome).toMatchObject({
      kind: 'refused-size',
      message: 'Cannot take the request: its body is over the limit of 500 B',
    })
    expect(rig.budget.keptBytes).toBe(0)
  })

  test('because too little of it comes for too long; enough of it renews the time', async () => {
    await using rig = await startServer()
    const { client } = await rig.open()
    client.write(sized(90_000))
    await until(() => rig.clock.sleeping === 1)
    for (let count = 1; count <= 3; count += 1) {
      await rig.clock.advance(29_999)
      client.write('x'.repeat(20_480))
      await until(() => rig.budget.keptBytes === count * 20_480)
    }
    await rig.clock.advance(29_999)
    client.write('x')
    await until(() => rig.budget.keptBytes === 61_441)
    await rig.clock.advance(1)
    expect(await rig.arrived[0]!.kept.outcome).toEqual({
      kind: 'too-slow',
      message: 'Cannot read the request: only 1 B of its body came for 30 s, after 60.0 KiB',
      hint: 'send it again, without a pause',
    })
    expect(rig.budget.keptBytes).toBe(0)
    expect(rig.clock.sleeping).toBe(0)
  })
})

describe('a body over the limit', () => {
  const body = bytesOf(700_000)
  const message = (isChunked: boolean): Buffer =>
    isChunked
      ? Buffer.concat([
          Buffer.from(CHUNKED),
          chunk(body.subarray(0, 70_000)),
          chunk(body.subarray(70_000)),
          Buffer.from(END),
        ])
      : Buffer.concat([Buffer.from(sized(body.length)), body])

  async function upload(rig: Rig, bytes: Buffer | string) {
    const { client } = await rig.open()
    const count = rig.arrived.length
    client.write(bytes)
    await until(() => rig.arrived.length > count)
    const { kept, req } = rig.arrived.at(-1)!
    return { client, kept, req, outcome: large(await kept.outcome) }
  }

  test.each([
    ['known length', false, body.length],
    ['chunked', true, null],
  ])('is passed on from its first byte: %s', async (_name, isChunked, lengthBytes) => {
    await using rig = await startServer()
    const { kept, outcome } = await upload(rig, message(isChunked))
    expect(outcome.lengthBytes).toBe(lengthBytes)
    const sink = new Sink()
    outcome.pass(sink)
    await until(() => sink.ended)
    expect(Buffer.concat(sink.pieces).equals(body)).toBe(true)
    expect(rig.budget.keptBytes).toBe(0)
    kept.release()
    expect(rig.budget.keptBytes).toBe(0)
    await rig.clock.advance(0)
    expect(rig.clock.sleeping).toBe(0)
  })

  test.each([
    ['and was read as it came', undefined],
    ['and was asked for late', (req: http.IncomingMessage) => until(() => req.complete)],
  ])('of which all was here when it proved too large is passed on too, %s', async (_name, late) => {
    await using rig = await startServer({ limitBytes: 100 }, late)
    const small = bytesOf(101)
    const all = Buffer.concat([Buffer.from(CHUNKED), chunk(small), Buffer.from(END)])
    const { outcome, req } = await upload(rig, all)
    await until(() => req.complete)
    const sink = new Sink()
    outcome.pass(sink)
    await until(() => sink.ended || sink.failure !== undefined)
    expect(sink.failure).toBeUndefined()
    expect(Buffer.concat(sink.pieces).equals(small)).toBe(true)
  })

  test.each([[false], [true]])(
    'waits with its client until it is passed on, and goes as fast as it is taken (chunked: %s)',
    async (isChunked) => {
      await using rig = await startServer({ maxBytes: 100_000_000 })
      const huge = bytesOf(6_000_000)
      const framed = isChunked
        ? [CHUNKED, chunk(huge.subarray(0, 1_000_000)), chunk(huge.subarray(1_000_000)), END]
        : [sized(huge.length), huge]
      const all = Buffer.concat(framed.map((part) => Buffer.from(part)))
      const { outcome, req, client } = await upload(rig, all)
      await rig.clock.advance(600_000)
      const sink = new Sink()
      sink.takes = false
      const passing = outcome.pass(sink)
      let writes = 0
      while (!sink.ended) {
        await until(() => sink.pieces.length > writes || sink.ended)
        expect(sink.pieces.length - writes).toBeLessThanOrEqual(1)
        // What it has not taken stays with the client, not with us.
        expect(req.readableLength).toBeLessThan(1_000_000)
        writes = sink.pieces.length
        passing.resume()
      }
      expect(writes).toBeGreaterThan(10)
      expect(Buffer.concat(sink.pieces).equals(huge)).toBe(true)
      expect(client.writableLength).toBe(0)
    },
  )

  test('is refused when it grows larger than it may be', async () => {
    await using rig = await startServer({ maxBytes: 500_000 })
    const { outcome } = await upload(rig, message(true))
    const sink = new Sink()
    outcome.pass(sink)
    await until(() => sink.failure !== undefined)
    expect(sink).toMatchObject({ failure: 'refused-size', ended: false })
    expect(sink.lengthBytes).toBeLessThanOrEqual(500_000)
    expect(rig.budget.keptBytes).toBe(0)
  })

  test('fails when nothing more comes, but not while it is not taken', async () => {
    await using rig = await startServer()
    const { outcome, client } = await upload(rig, `${sized(200_000)}${'x'.repeat(1000)}`)
    const sink = new Sink()
    sink.takes = false
    const passing = outcome.pass(sink)
    await until(() => sink.lengthBytes === 1000)
    await rig.clock.advance(600_000)
    sink.takes = true
    passing.resume()
    await rig.clock.advance(29_999)
    client.write('x'.repeat(20_000))
    await until(() => sink.lengthBytes === 21_000)
    await rig.clock.advance(29_999)
    expect(sink.failure).toBeUndefined()
    await rig.clock.advance(1)
    expect(sink).toMatchObject({ failure: 'too-slow', ended: false })
    expect(rig.clock.sleeping).toBe(0)
  })

  test('fails when its client leaves, before and while it is passed on', async () => {
    await using rig = await startServer()
    const begun = await upload(rig, `${sized(200_000)}${'x'.repeat(1000)}`)
    const sink = new Sink()
    begun.outcome.pass(sink)
    begun.client.destroy()
    await until(() => sink.failure !== undefined)
    expect(sink).toMatchObject({ failure: 'aborted', ended: false })

    const waiting = await upload(rig, sized(200_000))
    waiting.client.destroy()
    await closed(waiting.req)
    const late = new Sink()
    waiting.outcome.pass(late)
    expect(late).toMatchObject({ failure: 'aborted', ended: false })
  })

  test('stopped, gives nothing more, and its rest runs into the void', async () => {
    await using rig = await startServer()
    const { outcome, req, kept } = await upload(rig, message(true))
    const passing: { now: Passing | undefined } = { now: undefined }
    const sink = new Sink()
    sink.takes = false
    passing.now = outcome.pass(sink)
    passing.now.stop()
    passing.now.stop()
    passing.now.resume()
    const writes = sink.pieces.length
    await once(req, 'end')
    expect(sink).toMatchObject({ ended: false, failure: undefined })
    expect(sink.pieces).toHaveLength(writes)
    expect(rig.budget.keptBytes).toBe(0)
    kept.release()
    expect(rig.budget.keptBytes).toBe(0)
  })
})
