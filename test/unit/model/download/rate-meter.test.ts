import { expect, test } from 'vitest'
import { RateMeter } from '../../../../src/model/download/rate-meter.ts'

test('it tells the rate of the last seconds, not of all time', () => {
  const meter = new RateMeter()
  expect(meter.rate(0, 0)).toBe(0)
  expect(meter.rate(1000, 500)).toBe(500)
  for (let second = 2; second <= 30; second += 1) meter.rate(second * 1000, 500 + second * 2000)
  expect(meter.rate(31_000, 500 + 31 * 2000)).toBe(2000)
})

test('a standstill makes it fall to nothing', () => {
  const meter = new RateMeter()
  meter.rate(0, 0)
  meter.rate(1000, 5000)
  for (let second = 2; second <= 12; second += 1) meter.rate(second * 1000, 5000)
  expect(meter.rate(13_000, 5000)).toBe(0)
})

test('a download that begins anew begins a new rate', () => {
  const meter = new RateMeter()
  meter.rate(0, 9000)
  expect(meter.rate(1000, 0)).toBe(0)
  expect(meter.rate(2000, 100)).toBe(100)
})
