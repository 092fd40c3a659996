/** The port under clients of every kind while the real engine dies: the short form of `npm run chaos`. */
import { describe, expect, it, test } from 'vitest'
import {
  digits,
  judge,
  type Judgement,
  type Kind,
  SAMPLE_TOKENS,
} from '../../bench/chaos-judge.mjs'
import { readAnswer } from '../../bench/chaos-reading.mjs'
import { runChaos } from '../helpers/run-chaos.ts'

test('eight clients get all their answers from engines that die and hang', async () => {
  const account = await runChaos('--kills', '8')
  expect(account).toMatch(/^load: 8 deaths, \d+ requests, \d+ s$/mu)
  expect(account).toMatch(/^chaos: all is well$/mu)
})

describe('the judge', () => {
  const kind: Kind = { api: 'completions', isStream: true, goesOn: 'always', counts: 'content' }
  const tokens = 100
  const sample = readAnswer(kind.api, true, Buffer.from(stream(digits(SAMPLE_TOKENS)).join('')))

  function stream(text: string, finish = 'length', usage = text.length): string[] {
    const usages = { prompt_tokens: 6, completion_tokens: usage }
    return [
      ...Array.from(text).map((digit) => event(digit, null)),
      event('', finish, usages),
      'data: [DONE]\n\n',
    ]
  }

  function event(text: string, finish: string | null, usage?: object, id = 'chatcmpl-1'): string {
    const choices = [{ index: 0, text, finish_reason: finish }]
    return `data: ${JSON.stringify({ id, choices, usage })}\n\n`
  }

  function broken(src: string): string {
    return `data: ${JSON.stringify({ error: { message: 'Cannot finish', src } })}\n\n`
  }

  function judged(events: readonly string[], change: Partial<Kind> = {}, cuts = 1): Judgement {
    const outcome = { status: 200, ended: 'end', body: Buffer.from(events.join('')) }
    return judge({ ...kind, ...change }, tokens, sample, outcome, cuts)
  }

  const whole = stream(digits(tokens))

  it('takes a whole answer, and one that was joined', () => {
    const comment = ': oss20bd continued after engine restart\n\n'
    const joined = [...whole.slice(0, 50), comment, ...whole.slice(50)]
    expect(judged(whole)).toEqual({ verdict: 'whole', why: null, continuations: 0 })
    expect(judged(joined)).toEqual({ verdict: 'whole', why: null, continuations: 1 })
  })

  it.each([
    ['a digit twice', whole.toSpliced(50, 0, event('9', null))],
    ['a digit too few', whole.toSpliced(50, 1)],
    ['too short', stream(digits(tokens - 1))],
    ['another id', whole.toSpliced(50, 1, event('0', null, undefined, 'chatcmpl-2'))],
    ['no end', whole.slice(0, -1)],
    ['two ends', [...whole, 'data: [DONE]\n\n']],
    ['another finish', stream(digits(tokens), 'stop')],
    ['another usage', stream(digits(tokens), 'length', tokens + 1)],
    ['half an event', [...whole, 'data: {']],
    ['an end in spite of an error', whole.toSpliced(50, 0, broken('oss20bd'))],
    ['broken, though it can go on', [...whole.slice(0, 50), broken('oss20bd')]],
  ])('does not take %s', (_, events) => {
    expect(judged(events)).toMatchObject({ verdict: 'off' })
  })

  it('takes a broken stream only when it could not go on, with a death, and with our error', () => {
    const never = { goesOn: 'never' } as const
    const cut = whole.slice(0, 50)
    expect(judged([...cut, broken('oss20bd')], never)).toMatchObject({ verdict: 'broken' })
    expect(judged([...cut, broken('oss20bd')], never, 0)).toMatchObject({ verdict: 'off' })
    expect(judged([...cut, broken('llama')], never)).toMatchObject({ verdict: 'off' })
    expect(judged(cut, never)).toMatchObject({ verdict: 'off' })
    expect(judged([...cut.toSpliced(9, 1), broken('oss20bd')], never)).toMatchObject({
      verdict: 'off',
    })
  })

  it('takes no other status, no broken connection and no answer that never ends', () => {
    const body = Buffer.from(whole.join(''))
    const outcomes = [
      { status: 502, ended: 'end', body },
      { status: 200, ended: 'aborted', body },
      { status: 200, ended: 'timeout', body },
      { status: null, ended: 'ECONNREFUSED', body },
    ]
    const verdicts = outcomes.map((outcome) => judge(kind, tokens, sample, outcome, 1).verdict)
    expect(verdicts).toEqual(['off', 'off', 'off', 'off'])
  })
})
