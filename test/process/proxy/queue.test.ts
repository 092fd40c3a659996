/** Waiting for a slot of the engine: whose turn it is, what is told, and what happens to those who give up. */
import type http from 'node:http'
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { createRequestLog } from '../../../src/proxy/accounting/request-log.ts'
import { FakeClock, settle } from '../../helpers/fake-clock.ts'
import {
  answerOf,
  errorOf,
  loading,
  readAnswer,
  responseOf,
  type Rig,
  rigLimits,
  startRig,
  until,
} from '../../helpers/proxy-rig.ts'

type RigChanges = NonNullable<Parameters<typeof startRig>[1]>

interface Scene extends AsyncDisposable {
  readonly rig: Rig
  /** What the engine works at, in the order it came. */
  readonly atWork: { readonly name: string; readonly res: http.ServerResponse }[]
  /** Ends the oldest of them. */
  finish(): void
  /** A request of `client` that the engine knows by `name`. */
  ask(client: string, name: string, body?: string): http.ClientRequest
}

async function startScene(changes: RigChanges = {}, slots: number | null = 1): Promise<Scene> {
  const atWork: Scene['atWork'] = []
  const rig = await startRig((req, res) => {
    const name = String(req.headers['x-name'])
    req.resume().on('end', () => atWork.push({ name, res }))
  }, changes)
  rig.proxy.setSlots(slots)
  return {
    rig,
    atWork,
    finish: () => void atWork.shift()?.res.end('done'),
    ask: (client, name, body = '{}') => {
      const headers = { 'User-Agent': `${client}/1.0`, 'X-Name': name }
      const request = rig.request('/v1/completions', { method: 'POST', headers })
      request.end(body)
      return request
    },
    [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose](),
  }
}

/** One of `client` is with the engine, and these wait, having come one after the other. */
async function fill(scene: Scene, waiting: readonly (readonly [string, string])[]) {
  const requests = [scene.ask('first', 'first')]
  await until(() => scene.atWork.length === 1)
  for (const [client, name] of waiting) {
    requests.push(scene.ask(client, name))
    await until(() => scene.rig.proxy.waiting().length === requests.length - 1)
  }
  return requests
}

const positions = ({ rig }: Scene): string[] =>
  rig.proxy.waiting().map(({ client, position }) => `${position} ${client}`)

describe('one slot, three clients', () => {
  test('each client has its turn, whoever came first with many; one is with the engine at a time', async () => {
    await using scene = await startScene()
    const requests = await fill(scene, [
      ['a', 'a1'],
      ['a', 'a2'],
      ['a', 'a3'],
      ['b', 'b1'],
      ['c', 'c1'],
      ['b', 'b2'],
    ])
    const answers = requests.map(async (request) => readAnswer(await responseOf(request)))
    expect(positions(scene)).toEqual([
      '1 a/1.0',
      '2 b/1.0',
      '3 c/1.0',
      '4 a/1.0',
      '5 b/1.0',
      '6 a/1.0',
    ])
    expect(scene.rig.proxy.counts()).toMatchObject({ queued: 6, inFlight: 1 })
    const order: string[] = []
    for (let count = 0; count < 7; count += 1) {
      await until(() => scene.atWork.length === 1)
      await settle()
      expect(scene.atWork).toHaveLength(1)
      order.push(scene.atWork[0]?.name ?? '')
      scene.finish()
    }
    expect(order).toEqual(['first', 'a1', 'b1', 'c1', 'a2', 'b2', 'a3'])
    for (const { status } of await Promise.all(answers)) expect(status).toBe(200)
    await until(() => scene.rig.proxy.counts().served === 7)
    expect(scene.rig.proxy.counts()).toMatchObject({ queued: 0, inFlight: 0, failed: 0 })
  })

  test('positions and expected waits are known from measured times, and each answer tells how long it waited', async () => {
    const clock = new FakeClock()
    const requests = createRequestLog({ clock })
    await using scene = await startScene({ clock, requests })
    const [first, ...others] = await fill(scene, [
      ['a', 'a1'],
      ['b', 'b1'],
    ])
    expect(scene.rig.proxy.waiting().map(({ expectedMs }) => expectedMs)).toEqual([null, null])
    const firstAnswer = responseOf(first!).then(readAnswer)
    await clock.advance(4000)
    scene.finish()
    expect((await firstAnswer).headers['x-oss20bd-queued-ms']).toBeUndefined()
    await until(() => scene.atWork.length === 1)
    const [next, ...more] = scene.rig.proxy.waiting()
    expect(more).toEqual([])
    expect(next).toMatchObject({ client: 'b/1.0', position: 1, waitedMs: 4000, expectedMs: 4000 })
    expect(requests.open().map(({ phase, queuedMs }) => [phase, queuedMs])).toEqual([
      ['engine', 4000],
      ['queued', 4000],
    ])
    const answers = others.map(async (request) => readAnswer(await responseOf(request)))
    scene.finish()
    await until(() => scene.atWork.length === 1)
    await clock.advance(1000)
    scene.finish()
    const waits = (await Promise.all(answers)).map(({ headers }) => headers['x-oss20bd-queued-ms'])
    expect(waits).toEqual(['4000', '4000'])
  })

  test('more slots let more in at once; fewer take nothing away', async () => {
    await using scene = await startScene()
    await fill(scene, [
      ['a', 'a1'],
      ['b', 'b1'],
      ['c', 'c1'],
    ])
    scene.rig.proxy.setSlots(3)
    await until(() => scene.atWork.length === 3)
    scene.rig.proxy.setSlots(1)
    scene.finish()
    scene.finish()
    await settle()
    expect(positions(scene)).toEqual(['1 c/1.0'])
    scene.finish()
    await until(() => scene.atWork.some(({ name }) => name === 'c1'))
  })

  test('requests that take no slot go past those who wait', async () => {
    await using scene = await startScene()
    await fill(scene, [['a', 'a1']])
    for (const [method, path] of [
      ['GET', '/props'],
      ['GET', '/v1/models'],
      ['POST', '/tokenize'],
    ] as const) {
      const answering = answerOf(scene.rig.request(path, { method }))
      if (path !== '/v1/models') {
        await until(() => scene.atWork.length === 2)
        scene.atWork.pop()?.res.end('ok')
      }
      expect((await answering).status).toBe(200)
    }
    expect(positions(scene)).toEqual(['1 a/1.0'])
  })
})

describe('a full queue', () => {
  test('is 429 with a Retry-After from measured times, in words; the waiting ones keep their places', async () => {
    const clock = new FakeClock()
    await using scene = await startScene({ clock, limits: { ...rigLimits, queued: 2 } })
    const [first] = await fill(scene, [['a', 'a1']])
    const firstAnswer = responseOf(first!).then(readAnswer)
    await clock.advance(7300)
    scene.finish()
    await firstAnswer
    await until(() => scene.atWork[0]?.name === 'a1')
    for (const name of ['a2', 'a3']) scene.ask('a', name)
    await until(() => scene.rig.proxy.waiting().length === 2)
    const refused = await responseOf(scene.ask('a', 'a4')).then(readAnswer)
    expect([refused.status, refused.headers['retry-after']]).toEqual([429, '8'])
    expect(errorOf(refused)).toMatchObject({ code: 'queue_full', src: 'oss20bd' })
    expect(errorOf(refused).message).toContain('2 requests wait already, at most 2 may')
    expect(positions(scene)).toEqual(['1 a/1.0', '2 a/1.0'])
  })

  test('has a place for a client that has none waiting: the newest of the greediest gives it up', async () => {
    await using scene = await startScene({ limits: { ...rigLimits, queued: 2 } })
    const [, , second] = await fill(scene, [
      ['a', 'a1'],
      ['a', 'a2'],
    ])
    const displaced = responseOf(second!).then(readAnswer)
    scene.ask('b', 'b1')
    expect((await displaced).status).toBe(429)
    expect(positions(scene)).toEqual(['1 a/1.0', '2 b/1.0'])
  })

  test('of bytes is 429 too, and what was kept of the refused is let go', async () => {
    await using scene = await startScene({
      limits: { ...rigLimits, heldBytes: 1_000_000, keepBytes: 600_000 },
    })
    const big = JSON.stringify({ prompt: 'x'.repeat(400_000) })
    scene.ask('first', 'first')
    await until(() => scene.atWork.length === 1)
    const waiting = scene.ask('a', 'a1', big)
    await until(() => scene.rig.proxy.waiting().length === 1)
    scene.ask('b', 'b1', big)
    await until(() => scene.rig.proxy.waiting().length === 2)
    for (const client of ['a', 'b', 'c']) {
      const refused = await responseOf(scene.ask(client, 'x', big)).then(readAnswer)
      expect([refused.status, errorOf(refused).code]).toEqual([429, 'too_much_held'])
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
    }
    waiting.destroy()
    await until(() => scene.rig.proxy.waiting().length === 1)
    scene.ask('c', 'c1', big)
    await until(() => scene.rig.proxy.waiting().length === 2)
    expect(positions(scene)).toEqual(['1 b/1.0', '2 c/1.0'])
  })

  test('bodies of requests that are held for the engine are bounded in the same way', async () => {
    const limits = { ...rigLimits, heldBytes: 1_000_000, keepBytes: 600_000 }
    await using rig = await startRig(undefined, { limits })
    const body = Buffer.alloc(450_000)
    const held = [1, 2].map(() => answerOf(rig.request('/tokenize', { method: 'POST' }), body))
    await until(() => rig.proxy.counts().held === 2)
    const refused = await answerOf(rig.request('/tokenize', { method: 'POST' }), body)
    expect([refused.status, errorOf(refused).code]).toEqual([429, 'too_much_held'])
    await rig.startEngine((req, res) => void req.resume().on('end', () => res.end('ok')))
    rig.upstream.set(rig.ready)
    for (const answer of await Promise.all(held)) {
      expect(answer.status).toBe(200)
      expect(Number(answer.headers['x-oss20bd-held-ms'])).toBeGreaterThanOrEqual(0)
    }
    expect((await answerOf(rig.request('/tokenize', { method: 'POST' }), body)).status).toBe(200)
  })
})

describe('those who give up', () => {
  test('a client that leaves the queue is forgotten at once, and the engine never hears of it', async () => {
    await using scene = await startScene()
    const [, leaver] = await fill(scene, [
      ['a', 'a1'],
      ['b', 'b1'],
    ])
    leaver?.destroy()
    await until(() => scene.rig.proxy.waiting().length === 1)
    expect(positions(scene)).toEqual(['1 b/1.0'])
    scene.finish()
    await until(() => scene.atWork.length === 1)
    expect(scene.atWork[0]?.name).toBe('b1')
  })

  test('one that leaves the engine gives its slot to the next', async () => {
    await using scene = await startScene()
    const [first] = await fill(scene, [['a', 'a1']])
    first?.destroy()
    await until(() => scene.atWork.length === 2)
    expect(scene.atWork[1]?.name).toBe('a1')
    expect(scene.rig.proxy.counts()).toMatchObject({ queued: 0, inFlight: 1 })
  })

  test.each([
    ['/v1/completions', /"code":"cancelled"/],
    ['/v1/messages', /"type":"error".*cancelled/],
  ])(
    'a stream of %s that is cancelled ends in an error event, and the engine is let go',
    async (path, event) => {
      let closed: Promise<void> | undefined
      const requests = createRequestLog({ clock: systemClock })
      await using rig = await startRig(
        (req, res) => {
          closed = new Promise((done) => res.once('close', done))
          req.resume()
          res.writeHead(200, { 'Content-Type': 'text/event-stream' })
          res.write('data: {"choices":[]}\n\n')
        },
        { requests },
      )
      const request = rig.request(path, { method: 'POST' })
      request.end('{"stream":true}')
      const response = await responseOf(request)
      await until(() => requests.open()[0]?.phase === 'answering')
      const [{ id } = { id: '' }] = requests.open()
      expect(requests.cancel(id)).toBe(true)
      await closed
      const answer = await readAnswer(response)
      expect(answer.body.toString()).toMatch(event)
      expect(answer.body.toString()).not.toContain('[DONE]')
      expect(requests.open()).toEqual([])
      expect(requests.recent(1)).toMatchObject([{ id, outcome: 'cancelled' }])
      expect(requests.cancel(id)).toBe(false)
      expect(rig.proxy.counts().inFlight).toBe(0)
    },
  )

  test('one that is cancelled before its answer is told so, in the queue, at the engine and while it is held', async () => {
    const requests = createRequestLog({ clock: systemClock })
    await using scene = await startScene({ requests })
    const [atEngine, inQueue] = await fill(scene, [['a', 'a1']])
    const answers = [inQueue, atEngine].map((request) => responseOf(request!).then(readAnswer))
    const closed = new Promise((done) => scene.atWork[0]?.res.once('close', done))
    for (const { id } of requests.open().toReversed()) requests.cancel(id)
    for (const answer of await Promise.all(answers)) expect(errorOf(answer).code).toBe('cancelled')
    await closed
    scene.rig.upstream.set(loading())
    const held = responseOf(scene.ask('b', 'b1')).then(readAnswer)
    await until(() => scene.rig.proxy.counts().held === 1)
    for (const { id } of requests.open()) requests.cancel(id)
    expect(errorOf(await held).code).toBe('cancelled')
    expect(scene.rig.proxy.counts()).toMatchObject({ queued: 0, inFlight: 0, held: 0 })
    expect(scene.rig.upstream.waiters).toBe(0)
    expect(requests.totals().byOutcome.cancelled).toBe(3)
  })

  test('those who wait are told when the port closes', async () => {
    await using scene = await startScene()
    const [, waiting] = await fill(scene, [['a', 'a1']])
    const answer = responseOf(waiting!).then(readAnswer)
    await scene.rig.proxy.close()
    expect(errorOf(await answer)).toMatchObject({ code: 'stopping', src: 'oss20bd' })
  })
})
