import { describe, expect, it, test } from 'vitest'
import { type Answer, known, unknown } from '../../../src/memory/answer.ts'
import { PacedSource } from '../../../src/memory/paced-source.ts'
import { ratePerSecond } from '../../../src/memory/rate.ts'
import { FakeClock, settle } from '../../helpers/fake-clock.ts'

/** A source whose questions the test answers itself. */
function scene(about?: () => Answer<string>) {
  const clock = new FakeClock()
  const asked: {
    about: string
    signal: AbortSignal
    answer(answer: Answer<number>): void
    fail(error: Error): void
  }[] = []
  const source = new PacedSource<number>({
    clock,
    everyMs: 10_000,
    everyMsInVain: 60_000,
    ...(about === undefined ? {} : { about }),
    ask: (question, signal) =>
      new Promise((resolve, reject) => {
        asked.push({ about: question, signal, answer: resolve, fail: reject })
      }),
  })
  return { clock, asked, source }
}

describe('PacedSource', () => {
  it('asks at its own pace, however often it is refreshed', async () => {
    const { clock, asked, source } = scene()
    for (let ms = 0; ms < 30_000; ms += 1000) {
      const refreshed = source.refresh()
      asked.at(-1)?.answer(known(ms))
      await refreshed
      await clock.advance(1000)
    }
    expect(asked).toHaveLength(3)
    expect(source.answer()).toEqual(known(20_000))
  })

  it('never asks twice at once, and keeps the last value meanwhile', async () => {
    const { clock, asked, source } = scene()
    const first = source.refresh()
    asked[0]!.answer(known(1))
    await first
    await clock.advance(10_000)
    void source.refresh()
    await clock.advance(100_000)
    const later = source.refresh()
    expect(asked).toHaveLength(2)
    expect(source.answer()).toEqual(known(1))
    asked[1]!.answer(known(2))
    await later
    expect(source.answer()).toEqual(known(2))
  })

  it('has no value and no rate when the last question found nothing, and takes its time before the next', async () => {
    const { clock, asked, source } = scene()
    for (const answer of [known(1), known(2), unknown('the tool is gone')]) {
      const refreshed = source.refresh()
      asked.at(-1)!.answer(answer)
      await refreshed
      await clock.advance(10_000)
    }
    expect(source.answer()).toEqual(unknown('the tool is gone'))
    expect(source.change()).toBeNull()
    expect(source.lastValue()).toBe(2)
    void source.refresh()
    expect(asked).toHaveLength(3)
    await clock.advance(50_000)
    void source.refresh()
    expect(asked).toHaveLength(4)
  })

  it('takes an error as the reason', async () => {
    const { asked, source } = scene()
    const refreshed = source.refresh()
    asked[0]!.fail(new Error('EACCES: /proc/1'))
    await refreshed
    expect(source.answer()).toEqual(unknown('EACCES: /proc/1'))
  })

  it('forgets what it knew of another process, and asks about the new one at once', async () => {
    let pid: Answer<string> = unknown('no engine runs')
    const { asked, source } = scene(() => pid)
    await source.refresh()
    expect(source.answer()).toEqual(unknown('no engine runs'))
    pid = known('7')
    const first = source.refresh()
    asked[0]!.answer(known(700))
    await first
    pid = known('8')
    void source.refresh()
    expect(source.answer()).toEqual(unknown('it has not been read yet'))
    expect(asked.map(({ about }) => about)).toEqual(['7', '8'])
  })

  it('drops an answer about a process that has been replaced', async () => {
    let pid = known('7')
    const { asked, source } = scene(() => pid)
    void source.refresh()
    pid = known('8')
    const over = source.refresh()
    expect(asked[0]!.signal.aborted).toBe(true)
    asked[0]!.answer(known(700))
    await over
    expect(source.answer()).toEqual(unknown('it has not been read yet'))
    void source.refresh()
    expect(asked[1]!.about).toBe('8')
  })

  it('gives up what is being asked when it is closed, and asks no more', async () => {
    const { asked, source } = scene()
    void source.refresh()
    const closed = source.close()
    expect(asked[0]!.signal.aborted).toBe(true)
    asked[0]!.answer(known(1))
    await closed
    await source.refresh()
    await settle()
    expect(asked).toHaveLength(1)
  })
})

describe('ratePerSecond()', () => {
  const change = (before: number | null, now: number | null, elapsedMs = 2000) => ({
    from: { atMs: 5000, value: before },
    to: { atMs: 5000 + elapsedMs, value: now },
  })

  test.each([
    ['grown', change(100, 300), known(100)],
    ['still', change(300, 300), known(0)],
    ['gone back', change(300, 100), unknown('swap-outs went back from 300 to 100')],
    ['not told', change(null, 100), unknown('swap-outs is not told')],
    ['told no more', change(100, null), unknown('swap-outs is not told')],
    [
      'read twice at one time',
      change(1, 2, 0),
      unknown('no time has passed between the two readings'),
    ],
    ['read once', null, unknown('a rate needs two readings')],
  ])('of a counter %s', (_title, twoReadings, rate) => {
    expect(ratePerSecond(twoReadings, 'swap-outs', (value) => value)).toEqual(rate)
  })
})
