import { expect, test } from 'vitest'
import { createGate, type Gate } from '../../../src/proxy/admission/gate.ts'
import { waitForTurn } from '../../../src/proxy/turn.ts'
import { FakeClock, settle } from '../../helpers/fake-clock.ts'
import { loading, ScriptedUpstream } from '../../helpers/proxy-rig.ts'

const ready = { kind: 'ready', socketPath: '/e.sock', runId: 1 } as const
const ticket = { client: 'app', bytes: 10 }

function scene(upstream = new ScriptedUpstream(ready)): {
  clock: FakeClock
  upstream: ScriptedUpstream
  gate: Gate
  leave: AbortController
  wait: () => ReturnType<typeof waitForTurn>
} {
  const clock = new FakeClock()
  const gate = createGate({ slots: 1, maxQueued: 1, maxQueuedBytes: 1000, clock })
  const leave = new AbortController()
  const hold = { source: upstream, clock, holdTimeoutMs: 1000, signal: leave.signal }
  return { clock, upstream, gate, leave, wait: () => waitForTurn(gate, ticket, hold) }
}

test('its turn comes when the slot is given back', async () => {
  const { gate, wait, upstream } = scene()
  const first = gate.enterNow()
  const turn = wait()
  first?.release()
  expect(await turn).toMatchObject({ kind: 'in' })
  await settle()
  expect(upstream.waiters).toBe(0)
})

test('a full queue refuses with words and a time', async () => {
  const { gate, wait } = scene()
  gate.enterNow()
  void wait()
  expect(await wait()).toMatchObject({
    kind: 'refused',
    error: { status: 429, code: 'queue_full', retryAfterS: 5 },
  })
})

test('an engine that will not come ends the wait', async () => {
  const { gate, wait, upstream } = scene()
  gate.enterNow()
  const turn = wait()
  await settle()
  upstream.set({ kind: 'unavailable', message: 'gave up', hint: 'oss20bd why' })
  expect(await turn).toMatchObject({ kind: 'failed', error: { status: 503 } })
  expect(gate.counts()).toMatchObject({ running: 1, queued: 0 })
})

test('a slot that comes in the moment in which the engine goes is not lost', async () => {
  const { gate, wait, upstream } = scene()
  const first = gate.enterNow()
  const turn = wait()
  await settle()
  upstream.set({ kind: 'unavailable', message: 'gave up', hint: 'oss20bd why' })
  first?.release()
  const came = await turn
  if (came.kind === 'in') came.release()
  expect(gate.counts()).toMatchObject({ running: 0, queued: 0 })
})

test('an engine that shows no progress ends the wait, one that does not', async () => {
  const { gate, wait, upstream, clock } = scene(new ScriptedUpstream(loading()))
  gate.enterNow()
  const turn = wait()
  await settle()
  await clock.advance(900)
  upstream.set(loading(0.5))
  await clock.advance(900)
  expect(gate.counts().queued).toBe(1)
  await clock.advance(200)
  expect(await turn).toMatchObject({ kind: 'failed', error: { code: 'engine_not_ready' } })
  expect(gate.counts().queued).toBe(0)
})

test('a client that leaves is forgotten at once', async () => {
  const { gate, wait, leave, upstream } = scene()
  gate.enterNow()
  const turn = wait()
  leave.abort()
  expect(await turn).toEqual({ kind: 'aborted' })
  await settle()
  expect(gate.counts().queued).toBe(0)
  expect(upstream.waiters).toBe(0)
})
