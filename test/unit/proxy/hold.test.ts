import { describe, expect, test } from 'vitest'
import { Hold, type HoldEnd } from '../../../src/proxy/hold.ts'
import type { Upstream } from '../../../src/proxy/upstream.ts'
import { FakeClock, settle } from '../../helpers/fake-clock.ts'
import { loading, ScriptedUpstream } from '../../helpers/proxy-rig.ts'

const READY = { kind: 'ready', socketPath: '/e.sock', runId: 1 } as const
const DOWN: Upstream = { kind: 'unavailable', message: 'stopped', hint: 'start it' }

function holdOn(now: Upstream) {
  const clock = new FakeClock()
  const source = new ScriptedUpstream(now)
  const gone = new AbortController()
  const hold = new Hold({ source, clock, holdTimeoutMs: 1000, signal: gone.signal })
  return { clock, source, gone, hold }
}

/** The end of a wait, as soon as there is one. */
function watch(wait: Promise<HoldEnd>): { end: HoldEnd | undefined } {
  const seen: { end: HoldEnd | undefined } = { end: undefined }
  void (async () => {
    seen.end = await wait
  })()
  return seen
}

describe('Hold', () => {
  test('a ready or unavailable engine ends it at once', async () => {
    expect(await holdOn(READY).hold.wait()).toEqual(READY)
    expect(await holdOn(DOWN).hold.wait()).toEqual(DOWN)
  })

  test('it waits over changes until the engine is ready', async () => {
    const { source, hold } = holdOn(loading())
    const seen = watch(hold.wait())
    source.set(loading(0.5))
    await settle()
    expect(seen.end).toBeUndefined()
    source.set(READY)
    await settle()
    expect(seen.end).toEqual(READY)
    expect(source.waiters).toBe(0)
  })

  test('it ends with what it waited for when nothing moves for the whole time', async () => {
    const { clock, hold } = holdOn(loading(0.2))
    const seen = watch(hold.wait())
    await clock.advance(999)
    expect(seen.end).toBeUndefined()
    await clock.advance(1)
    expect(seen.end).toEqual({ kind: 'timeout', message: 'the model is loading' })
    expect(clock.sleeping).toBe(0)
  })

  test('progress renews its patience, other changes do not', async () => {
    const { clock, source, hold } = holdOn(loading(0.2))
    const seen = watch(hold.wait())
    for (const progress of [0.3, 0.4, 0.5]) {
      await clock.advance(900)
      source.set(loading(progress))
      await settle()
    }
    await clock.advance(900)
    expect(seen.end).toBeUndefined()
    source.set({ ...loading(0.5), message: 'still at it' })
    await clock.advance(100)
    expect(seen.end).toEqual({ kind: 'timeout', message: 'still at it' })
  })

  test('an abort ends it at once and leaves nothing behind', async () => {
    const { clock, source, gone, hold } = holdOn(loading())
    const seen = watch(hold.wait())
    await settle()
    gone.abort()
    await settle()
    expect(seen.end).toEqual({ kind: 'aborted' })
    expect([source.waiters, clock.sleeping]).toEqual([0, 0])
  })

  test('after a refused connection it waits a moment, or for a change, before it believes in ready', async () => {
    const { clock, source, hold } = holdOn(READY)
    const first = watch(hold.wait({ delayMs: 25, reason: 'refused' }))
    await clock.advance(24)
    expect(first.end).toBeUndefined()
    await clock.advance(1)
    expect(first.end).toEqual(READY)
    const second = watch(hold.wait({ delayMs: 500, reason: 'refused' }))
    source.set({ ...READY, runId: 2 })
    await settle()
    expect(second.end).toMatchObject({ runId: 2 })
  })

  test('an engine that is called ready and never takes a connection uses up the time too', async () => {
    const { clock, hold } = holdOn(READY)
    const pause = { delayMs: 400, reason: 'the engine takes no connection' }
    const ends: HoldEnd[] = []
    const loop = (async () => {
      for (;;) {
        const end = await hold.wait(pause)
        ends.push(end)
        if (end.kind !== 'ready') return
      }
    })()
    await clock.advance(1000)
    await loop
    expect(ends.at(-1)).toEqual({ kind: 'timeout', message: pause.reason })
    expect(ends).toHaveLength(3)
  })
})
