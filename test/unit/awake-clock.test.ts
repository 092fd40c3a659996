import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { createAwakeClock, type AwakeClock, type WakeGap } from '../../src/awake-clock.ts'
import { FakeClock, settle } from '../helpers/fake-clock.ts'

const hourMs = 3_600_000

interface Rig extends AsyncDisposable {
  readonly base: FakeClock
  readonly clock: AwakeClock
  readonly gaps: WakeGap[]
}

/** With the ticker running. */
async function rig(options: { gapMs?: number; tickMs?: number } = {}): Promise<Rig> {
  const base = new FakeClock()
  const gaps: WakeGap[] = []
  const clock = createAwakeClock(base, { ...options, onWake: (gap) => gaps.push(gap) })
  const stop = new AbortController()
  const ticker = clock.run(stop.signal)
  await settle()
  const dispose = async (): Promise<void> => {
    stop.abort()
    await ticker
  }
  return { base, clock, gaps, [Symbol.asyncDispose]: dispose }
}

/** Whether it has ended, and how often. */
function watch(promise: Promise<void>): { ended: boolean } {
  const seen = { ended: false }
  promise.then(
    () => (seen.ended = true),
    () => undefined,
  )
  return seen
}

describe('the awake clock', () => {
  it('counts ordinary time like its base', async () => {
    await using time = await rig()
    await time.base.advance(hourMs)
    expect(time.clock.monotonicMs()).toBe(hourMs)
    expect(time.clock.nowMs()).toBe(time.base.nowMs())
    expect(time.gaps).toEqual([])
  })

  it('leaves out a stand-still that the ticker sees first, and tells it once', async () => {
    await using time = await rig()
    await time.base.advance(10_000)
    time.base.standStill(hourMs)
    await time.base.advance(0)
    expect(time.gaps).toEqual([{ asleepMs: hourMs, wallJumpMs: 0 }])
    await time.base.advance(20_000)
    expect(time.clock.monotonicMs()).toBe(30_000)
    expect(time.gaps).toHaveLength(1)
  })

  it('leaves out a stand-still that a question for the time sees first, and tells it later', async () => {
    await using time = await rig()
    await time.base.advance(12_000)
    time.base.standStill(hourMs)
    // The last look was the tick at 10 s: up to one tick of real time goes with the gap.
    expect(time.clock.monotonicMs()).toBe(10_000)
    expect(time.gaps).toEqual([])
    await settle()
    expect(time.gaps).toEqual([{ asleepMs: hourMs + 2000, wallJumpMs: 0 }])
    await time.base.advance(5000)
    expect(time.gaps).toHaveLength(1)
  })

  it.each([
    ['a sleep that stops the monotonic clock, or a clock set forward by 1 h', hourMs, 1],
    ['a clock set forward by just the gap', 60_000, 0],
    ['a clock set back by 1 h', -hourMs, 0],
  ])('keeps its time over %s', async (_what, jumpMs, told) => {
    await using time = await rig()
    await time.base.advance(10_000)
    time.base.jumpWallClock(jumpMs)
    await time.base.advance(10_000)
    expect(time.clock.monotonicMs()).toBe(20_000)
    expect(time.clock.nowMs()).toBe(time.base.nowMs())
    expect(time.gaps).toEqual([{ asleepMs: 0, wallJumpMs: jumpMs }].slice(0, told))
  })

  it('leaves out a stand-still within which the clock was set back', async () => {
    await using time = await rig()
    time.base.standStill(2 * hourMs)
    time.base.jumpWallClock(-hourMs)
    await time.base.advance(0)
    expect(time.clock.monotonicMs()).toBe(0)
    expect(time.gaps).toEqual([{ asleepMs: 2 * hourMs, wallJumpMs: -hourMs }])
  })

  it('takes 453 short gaps for ordinary time', async () => {
    await using time = await rig()
    for (let count = 0; count < 453; count += 1) {
      time.base.standStill(30_000)
      time.base.jumpWallClock(30_000)
      await time.base.advance(5000)
    }
    expect(time.gaps).toEqual([])
    expect(time.clock.monotonicMs()).toBe(453 * 35_000)
  })

  it('does not take silence for sleep before its ticker runs, nor after', async () => {
    const base = new FakeClock()
    const gaps: WakeGap[] = []
    const clock = createAwakeClock(base, { onWake: (gap) => gaps.push(gap) })
    await base.advance(hourMs)
    const stop = new AbortController()
    const ticker = clock.run(stop.signal)
    await base.advance(hourMs)
    stop.abort()
    await ticker
    await base.advance(hourMs)
    expect(clock.monotonicMs()).toBe(3 * hourMs)
    expect(gaps).toEqual([])
    expect(base.sleeping).toBe(0)
  })
})

describe('its sleep', () => {
  it('goes on after a stand-still for what was left', async () => {
    await using time = await rig()
    const seen = watch(time.clock.sleep(100_000))
    await time.base.advance(40_000)
    time.base.standStill(hourMs)
    await time.base.advance(59_999)
    expect(seen.ended).toBe(false)
    await time.base.advance(1)
    expect(seen.ended).toBe(true)
  })

  it('goes on over several stand-stills', async () => {
    await using time = await rig()
    const seen = watch(time.clock.sleep(30_000))
    for (let count = 0; count < 5; count += 1) {
      await time.base.advance(5000)
      time.base.standStill(hourMs)
    }
    await time.base.advance(4999)
    expect(seen.ended).toBe(false)
    await time.base.advance(1)
    expect(seen.ended).toBe(true)
  })

  it('ends in time over a wall clock that jumps', async () => {
    await using time = await rig()
    const seen = watch(time.clock.sleep(30_000))
    time.base.jumpWallClock(hourMs)
    await time.base.advance(29_999)
    expect(seen.ended).toBe(false)
    await time.base.advance(1)
    expect(seen.ended).toBe(true)
  })

  it('can be aborted, also while it goes on after a stand-still', async () => {
    await using time = await rig()
    const stop = new AbortController()
    const slept = time.clock.sleep(30_000, stop.signal)
    time.base.standStill(hourMs)
    await time.base.advance(1000)
    stop.abort()
    await expect(slept).rejects.toThrow('aborted')
    await expect(time.clock.sleep(0, stop.signal)).rejects.toThrow('aborted')
  })

  test.each([0, -5])('of %s ms ends at once', async (delayMs) => {
    await using time = await rig()
    const seen = watch(time.clock.sleep(delayMs))
    await time.base.advance(0)
    expect(seen.ended).toBe(true)
  })

  it('asks no timer for more than it can hold', async () => {
    const asked: number[] = []
    const base = new FakeClock()
    const recording = {
      nowMs: () => base.nowMs(),
      monotonicMs: () => base.monotonicMs(),
      sleep: (delayMs: number, signal?: AbortSignal) => {
        asked.push(delayMs)
        return base.sleep(delayMs, signal)
      },
    }
    const clock = createAwakeClock(recording, { onWake: () => undefined })
    const stop = new AbortController()
    const slept = clock.sleep(Number.POSITIVE_INFINITY, stop.signal)
    await base.advance(2 ** 31)
    stop.abort()
    await expect(slept).rejects.toThrow('aborted')
    expect(asked).toEqual([2 ** 31 - 1, 2 ** 31 - 1])
  })
})

const step = fc.record({
  kind: fc.constantFrom('advance', 'stand-still', 'jump', 'ask'),
  durationMs: fc.integer({ min: 0, max: 400_000 }),
  back: fc.boolean(),
})

it('never goes back, never counts a gap, and tells each gap once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
      await using time = await rig()
      let ranMs = 0
      let stoodMs = 0
      let long = 0
      let last = 0
      for (const { kind, durationMs, back } of steps) {
        if (kind === 'advance') {
          ranMs += durationMs
          await time.base.advance(durationMs)
        } else if (kind === 'stand-still') {
          // Looks before and after, so that each gap is known to the millisecond.
          time.clock.monotonicMs()
          time.base.standStill(durationMs)
          if (durationMs > 60_000) long += 1
          else stoodMs += durationMs
        } else if (kind === 'jump') {
          time.base.jumpWallClock(back ? -durationMs : durationMs)
        }
        const nowMs = time.clock.monotonicMs()
        expect(nowMs).toBeGreaterThanOrEqual(last)
        expect(nowMs).toBe(ranMs + stoodMs)
        last = nowMs
      }
      await settle()
      expect(time.gaps.filter(({ asleepMs }) => asleepMs > 0)).toHaveLength(long)
      expect(time.gaps.every((gap) => Math.max(gap.asleepMs, gap.wallJumpMs) > 60_000)).toBe(true)
    }),
    { numRuns: 60 },
  )
})

it('a sleep never ends before its awake time has passed', async () => {
  const standStills = fc.array(
    fc.record({ ranMs: fc.integer({ min: 0, max: 4000 }), stoodMs: fc.constant(hourMs) }),
    { maxLength: 6 },
  )
  await fc.assert(
    fc.asyncProperty(
      fc.double({ min: 0, max: 40_000, noNaN: true }),
      standStills,
      async (delayMs, times) => {
        await using time = await rig()
        const startedMs = time.clock.monotonicMs()
        let tookMs = Number.NaN
        const sleep = async (): Promise<void> => {
          await time.clock.sleep(delayMs)
          tookMs = time.clock.monotonicMs() - startedMs
        }
        const slept = sleep()
        for (const { ranMs, stoodMs } of times) {
          await time.base.advance(ranMs)
          time.base.standStill(stoodMs)
        }
        await time.base.advance(100_000)
        await slept
        // The clock adds in floating point: a nanosecond is no early end.
        expect(tookMs).toBeGreaterThanOrEqual(delayMs - 1e-6)
        expect(tookMs).toBeLessThanOrEqual(delayMs + 5001)
      },
    ),
    { numRuns: 60 },
  )
})
