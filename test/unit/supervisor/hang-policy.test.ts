import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { EngineCounters } from '../../../src/engine.ts'
import {
  firstVitals,
  type HangVerdict,
  type Reading,
  watchVitals,
} from '../../../src/supervisor/hang-policy.ts'

const settings = { hangTimeoutMs: 60_000, suspectAfterMs: 10_000 }
const nothing: EngineCounters = {
  requestsProcessing: null,
  requestsWaiting: null,
  workSteps: null,
  promptTokens: null,
  promptSeconds: null,
  generatedTokens: null,
  generatedSeconds: null,
}
const counters = (requestsProcessing: number | null, workSteps: number | null): EngineCounters => ({
  ...nothing,
  requestsProcessing,
  workSteps,
})

/** The verdict on the last of readings five seconds apart, the first at 5 s. */
function lastVerdict(readings: readonly (EngineCounters | null)[]): HangVerdict {
  let vitals = firstVitals(0)
  let verdict: HangVerdict = { kind: 'alive' }
  for (const [index, reading] of readings.entries()) {
    const step = watchVitals(vitals, { atMs: (index + 1) * 5000, counters: reading }, settings)
    vitals = step.next
    verdict = step.verdict
  }
  return verdict
}

const repeat = <T>(times: number, value: T): T[] => Array.from({ length: times }, () => value)

describe('watchVitals', () => {
  test.each([
    { name: 'idle for an hour', readings: repeat(720, counters(0, 7)), kind: 'alive' },
    {
      name: 'working and moving for an hour',
      readings: repeat(720, 0).map((_, index) => counters(1, index)),
      kind: 'alive',
    },
    { name: 'standing still for 55 s', readings: repeat(12, counters(1, 7)), kind: 'alive' },
    { name: 'standing still for 60 s', readings: repeat(13, counters(1, 7)), kind: 'hung' },
    {
      name: 'standing still for 55 s, then one step, then 55 s',
      readings: [...repeat(12, counters(1, 7)), ...repeat(12, counters(1, 8))],
      kind: 'alive',
    },
    { name: 'silent for 5 s', readings: repeat(1, null), kind: 'alive' },
    { name: 'silent for 10 s', readings: repeat(2, null), kind: 'suspect' },
    { name: 'silent for 60 s', readings: repeat(12, null), kind: 'hung' },
    {
      name: 'silent now and then',
      readings: repeat(100, [null, counters(0, 1)]).flat(),
      kind: 'alive',
    },
    { name: 'telling nothing it counts', readings: repeat(99, nothing), kind: 'alive' },
    {
      name: 'working, but its steps are unknown',
      readings: repeat(99, counters(2, null)),
      kind: 'alive',
    },
  ])('$name: $kind', ({ readings, kind }) => {
    expect(lastVerdict(readings).kind).toBe(kind)
  })

  test('the first reading of an engine at work is no hang, however late it comes', () => {
    const reading: Reading = { atMs: 55_000, counters: counters(1, 3) }
    expect(watchVitals(firstVitals(0), reading, settings).verdict).toEqual({ kind: 'alive' })
  })

  test('it says how many requests stand still', () => {
    const verdict = lastVerdict(repeat(13, counters(3, 7)))
    expect(verdict).toEqual({
      kind: 'hung',
      why: 'it works on 3 requests, but its counters stand still',
    })
  })

  test('whatever comes, an engine that has just moved or answered idle is alive', () => {
    const any = fc.option(
      fc.record({
        requestsProcessing: fc.option(fc.nat(3)),
        workSteps: fc.option(fc.nat(5)),
      }),
    )
    fc.assert(
      fc.property(fc.array(any, { maxLength: 60 }), (seen) => {
        const readings = seen.map((one) => (one === null ? null : { ...nothing, ...one }))
        expect(lastVerdict([...readings, counters(0, 1)]).kind).toBe('alive')
        expect(lastVerdict([...readings, counters(1, 99)]).kind).toBe('alive')
      }),
    )
  })
})
