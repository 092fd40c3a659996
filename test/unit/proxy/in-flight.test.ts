import { expect, test } from 'vitest'
import { InFlight } from '../../../src/proxy/in-flight.ts'

test('it counts while the work runs, also when the work fails', async () => {
  const inFlight = new InFlight()
  const failing = inFlight.during(() => Promise.reject(new Error('x')))
  const holding = inFlight.held(() => Promise.resolve())
  expect(inFlight.counts()).toMatchObject({ inFlight: 1, held: 1 })
  await expect(failing).rejects.toThrow('x')
  await holding
  expect(inFlight.counts()).toMatchObject({ inFlight: 0, held: 0 })
})

test('it is idle when the last request with the engine ends, whatever is held', async () => {
  const inFlight = new InFlight()
  await inFlight.idle()
  let finish = (): void => {}
  void inFlight.held(() => new Promise(() => {}))
  const one = inFlight.during(() => Promise.resolve())
  const two = inFlight.during(
    () =>
      new Promise<void>((resolve) => {
        finish = resolve
      }),
  )
  const order: string[] = []
  const waiting = (async () => {
    await inFlight.idle()
    order.push('idle')
  })()
  await one
  order.push('first ended')
  finish()
  await Promise.all([two, waiting])
  expect(order).toEqual(['first ended', 'idle'])
  expect(inFlight.counts()).toMatchObject({ inFlight: 0, held: 1 })
})
