import { describe, expect, test } from 'vitest'
import type { NewRequest } from '../../../../src/proxy/accounting/request.ts'
import { createRequestLog } from '../../../../src/proxy/accounting/request-log.ts'
import { FakeClock } from '../../../helpers/fake-clock.ts'

const asked: NewRequest = {
  client: 'open-webui',
  api: 'chat',
  method: 'POST',
  path: '/v1/chat/completions',
  alias: 'gpt-oss-20b:low',
  bytes: 120,
}
const answered = { status: 200, outcome: 'answered' } as const

function scene(keep?: number) {
  const clock = new FakeClock()
  const log = createRequestLog({ clock, ...(keep === undefined ? {} : { keep }) })
  const after = (durationMs: number): void => clock.standStill(durationMs)
  return { clock, log, after }
}

test('it tells how long a request waited where, and when the first byte came', () => {
  const { log, after } = scene()
  const request = log.begin(asked)
  after(5)
  request.queued()
  after(100)
  request.held()
  after(1000)
  request.forwarded()
  after(30)
  request.firstByte()
  after(400)
  request.firstByte()
  request.seen({ promptTokens: 90, generatedTokens: 20 })
  request.seen({ promptTokens: null, generatedPerSecond: 50.5 })
  request.end(answered)
  expect(log.open()).toEqual([])
  expect(log.recent(10)).toEqual([
    {
      ...asked,
      id: request.id,
      startedAt: '2026-01-01T00:00:00.000Z',
      endedAt: '2026-01-01T00:00:01.535Z',
      queuedMs: 100,
      heldMs: 1000,
      firstByteMs: 1135,
      tookMs: 1535,
      status: 200,
      outcome: 'answered',
      promptTokens: 90,
      cachedTokens: null,
      generatedTokens: 20,
      promptPerSecond: null,
      generatedPerSecond: 50.5,
      replays: 0,
      continuations: 0,
    },
  ])
})

test('waits that come again add up, and the first byte stays the first', () => {
  const { log, after } = scene()
  const request = log.begin(asked)
  request.forwarded()
  after(10)
  request.replayed()
  request.held()
  after(20)
  request.held()
  after(20)
  request.queued()
  after(3)
  request.forwarded()
  request.firstByte()
  request.continued()
  request.held()
  after(60)
  expect(log.open()).toMatchObject([
    { phase: 'held', phaseMs: 60, heldMs: 100, queuedMs: 3, ageMs: 113, firstByteMs: 53 },
  ])
  request.forwarded()
  request.firstByte()
  request.end(answered)
  expect(log.recent(1)).toMatchObject([
    { heldMs: 100, queuedMs: 3, firstByteMs: 53, replays: 1, continuations: 1 },
  ])
})

test('a jump of the wall clock changes no duration', () => {
  const { clock, log, after } = scene()
  const request = log.begin(asked)
  after(50)
  clock.jumpWallClock(-3_600_000)
  request.end(answered)
  expect(log.recent(1)).toMatchObject([{ tookMs: 50, endedAt: '2026-01-01T00:00:00.050Z' }])
})

test('what the body tells can come later', () => {
  const { log } = scene()
  const request = log.begin({ ...asked, alias: null, bytes: null })
  expect(log.open()).toMatchObject([{ alias: null, bytes: null, phase: 'received' }])
  request.asks({ alias: 'fast' })
  request.asks({ bytes: 7 })
  expect(log.open()).toMatchObject([{ alias: 'fast', bytes: 7 }])
})

test('after its end nothing changes any more', () => {
  const { log, after } = scene()
  const request = log.begin(asked)
  request.end({ status: 503, outcome: 'failed' })
  after(10)
  request.firstByte()
  request.queued()
  request.replayed()
  request.continued()
  request.asks({ alias: 'other', bytes: 1 })
  request.seen({ generatedTokens: 1 })
  request.end(answered)
  expect(log.recent(10)).toMatchObject([
    {
      ...asked,
      outcome: 'failed',
      tookMs: 0,
      replays: 0,
      generatedTokens: null,
      firstByteMs: null,
    },
  ])
  expect(log.totals()).toMatchObject({
    ended: 1,
    replays: 0,
    byOutcome: { answered: 0, failed: 1 },
  })
})

describe('cancelling', () => {
  test('calls what the request gave last, once', () => {
    const { log } = scene()
    const calls: string[] = []
    const request = log.begin(asked)
    request.onCancel(() => calls.push('leave the queue'))
    request.onCancel(() => calls.push('end the answer'))
    expect([log.cancel(request.id), log.cancel(request.id)]).toEqual([true, true])
    expect(calls).toEqual(['end the answer'])
    expect(log.open()).toMatchObject([{ isCancelled: true }])
    request.end({ status: null, outcome: 'client-gone' })
    expect(log.recent(1)).toMatchObject([{ outcome: 'cancelled' }])
  })

  test('before there was anything to call is made up for', () => {
    const { log } = scene()
    const request = log.begin(asked)
    let calls = 0
    log.cancel(request.id)
    request.onCancel(() => (calls += 1))
    request.onCancel(() => (calls += 1))
    expect(calls).toBe(1)
  })

  test('too late: it was answered all the same', () => {
    const { log } = scene()
    const request = log.begin(asked)
    log.cancel(request.id)
    request.end(answered)
    expect(log.recent(1)).toMatchObject([{ outcome: 'answered' }])
    expect(log.cancel(request.id)).toBe(false)
  })

  test('an id that is not open is told', () => {
    expect(scene().log.cancel('r1')).toBe(false)
  })
})

test('it keeps the last ones only, newest first', () => {
  const { log } = scene(3)
  const ids = Array.from({ length: 8 }, () => {
    const request = log.begin(asked)
    request.end(answered)
    return request.id
  })
  const newest = ids.toReversed().slice(0, 3)
  expect(log.recent(100).map(({ id }) => id)).toEqual(newest)
  expect(log.recent(2).map(({ id }) => id)).toEqual(newest.slice(0, 2))
  expect(log.recent(0)).toEqual([])
  expect(log.totals().ended).toBe(8)
})

test('ids are short, differ, and do not begin again after a restart of the daemon', () => {
  const clock = new FakeClock()
  const idOf = (): string => createRequestLog({ clock }).begin(asked).id
  const log = createRequestLog({ clock })
  const ids = new Set(Array.from({ length: 1000 }, () => log.begin(asked).id))
  expect(ids.size).toBe(1000)
  expect([...ids].every((id) => /^r[0-9a-z]{1,5}$/.test(id))).toBe(true)
  const before = idOf()
  clock.standStill(60_000)
  expect(idOf()).not.toBe(before)
})

test('a query is not kept, and a long text only in part', () => {
  const { log } = scene()
  log.begin({
    ...asked,
    client: 'c'.repeat(1000),
    method: 'M'.repeat(1000),
    path: `/${'p'.repeat(1000)}?key=secret`,
    alias: 'a'.repeat(1000),
  })
  log.begin({ ...asked, path: '/props?key=secret' })
  const [long, short] = log.open()
  expect(short?.path).toBe('/props')
  expect(JSON.stringify(long).length).toBeLessThan(800)
  expect(JSON.stringify(log.open())).not.toContain('secret')
})

test('what the caller passes beside the facts is not held on to', () => {
  const { log } = scene()
  const exchange = { ...asked, body: 'a prompt' }
  log.begin(exchange).end(answered)
  expect(JSON.stringify([log.recent(1), log.totals()])).not.toContain('a prompt')
})

test('totals add up', () => {
  const { log, after } = scene()
  const first = log.begin(asked)
  first.queued()
  after(10)
  first.forwarded()
  first.firstByte()
  first.seen({ promptTokens: 5, cachedTokens: 2, generatedTokens: 7 })
  first.end(answered)
  const second = log.begin(asked)
  second.held()
  after(20)
  second.replayed()
  second.end({ status: null, outcome: 'client-gone' })
  log.begin(asked)
  expect(log.totals()).toEqual({
    open: 1,
    ended: 2,
    byOutcome: {
      answered: 1,
      'client-gone': 1,
      'passed-on': 0,
      refused: 0,
      failed: 0,
      broken: 0,
      cancelled: 0,
    },
    replays: 1,
    continuations: 0,
    promptTokens: 5,
    cachedTokens: 2,
    generatedTokens: 7,
    queuedMs: 10,
    heldMs: 20,
    firstByteMs: 10,
    firstBytes: 1,
  })
})
