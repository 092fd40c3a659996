import { expect, test } from 'vitest'
import { QuietWatch } from '../../../../src/proxy/admission/quiet-watch.ts'
import { FakeClock } from '../../../helpers/fake-clock.ts'

function watchOf() {
  const clock = new FakeClock()
  const seen = { quiet: 0 }
  const watch = new QuietWatch(clock, 1000, () => (seen.quiet += 1))
  return { clock, watch, seen }
}

test('it tells once, when nothing came for the whole time', async () => {
  const { clock, seen } = watchOf()
  await clock.advance(999)
  expect(seen.quiet).toBe(0)
  await clock.advance(1)
  expect(seen.quiet).toBe(1)
  await clock.advance(10_000)
  expect(seen.quiet).toBe(1)
  expect(clock.sleeping).toBe(0)
})

test('each touch renews the time, with one timer for all', async () => {
  const { clock, watch, seen } = watchOf()
  for (let count = 0; count < 5; count += 1) {
    await clock.advance(700)
    watch.touch()
    expect(clock.sleeping).toBe(1)
  }
  await clock.advance(999)
  expect(seen.quiet).toBe(0)
  await clock.advance(1)
  expect(seen.quiet).toBe(1)
})

test('a byte now and then is as good as nothing, and it is said how many came', async () => {
  const clock = new FakeClock()
  const told: number[] = []
  const watch = new QuietWatch(clock, 1000, (cameBytes) => told.push(cameBytes))
  await clock.advance(900)
  watch.came(20_000)
  for (let count = 0; count < 9; count += 1) {
    await clock.advance(110)
    watch.came(1)
  }
  expect(told).toEqual([])
  await clock.advance(10)
  expect(told).toEqual([9])
})

test('while we do not read, the client is not blamed', async () => {
  const { clock, watch, seen } = watchOf()
  watch.pause()
  await clock.advance(60_000)
  watch.touch()
  await clock.advance(999)
  expect(seen.quiet).toBe(0)
  await clock.advance(1)
  expect(seen.quiet).toBe(1)
})

test('nor for the time in which nobody ran', async () => {
  const { clock, seen } = watchOf()
  clock.standStill(30_000)
  await clock.advance(0)
  expect(seen.quiet).toBe(0)
  await clock.advance(1000)
  expect(seen.quiet).toBe(1)
})

test('stopped, it leaves no timer behind', async () => {
  const { clock, watch, seen } = watchOf()
  watch.stop()
  await clock.advance(5000)
  expect(seen.quiet).toBe(0)
  expect(clock.sleeping).toBe(0)
})
