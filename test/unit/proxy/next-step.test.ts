import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Counts,
  nextStep,
  noCounts,
  type TryEnd,
  type TryFacts,
} from '../../../src/proxy/next-step.ts'

const died: TryEnd = { kind: 'died', reason: 'read ECONNRESET' }
const malformed: TryEnd = { kind: 'fault', fault: 'malformed-harmony' }
const cannotCompute: TryEnd = { kind: 'fault', fault: 'compute-error' }
const fresh: TryFacts = {
  started: false,
  canResend: true,
  canRetryStream: false,
  canContinue: false,
}
const cut: TryFacts = { ...fresh, started: true, canContinue: true }

describe('nextStep', () => {
  test.each([
    {
      name: 'an answer is the end',
      end: { kind: 'answered' } as const,
      facts: fresh,
      kind: 'done',
    },
    { name: 'a first death before any answer: again', end: died, facts: fresh, kind: 'resend' },
    {
      name: 'a second death: it may be the cause',
      end: died,
      facts: fresh,
      counts: { deaths: 1, replays: 1 },
      kind: 'fail',
    },
    {
      name: 'a death with a body that is not here any more',
      end: died,
      facts: { ...fresh, canResend: false },
      kind: 'fail',
    },
    { name: 'a death within a stream that can go on', end: died, facts: cut, kind: 'continue' },
    {
      name: 'an answer that does not fit behind what was told',
      end: { kind: 'unfit', reason: 'the engine goes on with status 400' } as const,
      facts: cut,
      kind: 'break',
    },
    {
      name: 'a third one within a stream',
      end: died,
      facts: cut,
      counts: { continuations: 2 },
      kind: 'break',
    },
    {
      name: 'a death within a stream of which no word was told: again',
      end: died,
      facts: { ...cut, canRetryStream: true },
      kind: 'resend',
    },
    {
      name: 'a death within an answer that cannot go on',
      end: died,
      facts: { ...cut, canContinue: false },
      kind: 'break',
    },
    { name: 'a broken format: again', end: malformed, facts: fresh, kind: 'resend' },
    {
      name: 'a broken format twice: the client gets it',
      end: malformed,
      facts: fresh,
      counts: { malformed: 1, replays: 1 },
      kind: 'pass-fault',
    },
    {
      name: 'a broken format after words were told',
      end: malformed,
      facts: cut,
      kind: 'pass-fault',
    },
    {
      name: 'an engine that cannot compute: again',
      end: cannotCompute,
      facts: fresh,
      kind: 'resend',
    },
    {
      name: 'three times: the client gets it',
      end: cannotCompute,
      facts: fresh,
      counts: { replays: 2 },
      kind: 'pass-fault',
    },
    {
      name: 'an engine that cannot compute any more within a stream',
      end: cannotCompute,
      facts: cut,
      kind: 'continue',
    },
  ])('$name', ({ end, facts, counts = {}, kind }) => {
    expect(nextStep(end, facts, { ...noCounts, ...counts }).kind).toBe(kind)
  })

  test('whatever happens, it comes to an end within six tries', () => {
    const ends = fc.constantFrom(died, malformed, cannotCompute)
    const facts = fc.record({
      started: fc.boolean(),
      canResend: fc.boolean(),
      canRetryStream: fc.boolean(),
      canContinue: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(fc.tuple(ends, facts), { minLength: 6, maxLength: 6 }), (tries) => {
        let counts: Counts = noCounts
        const steps: string[] = []
        for (const [end, fact] of tries) {
          const step = nextStep(end, fact, counts)
          steps.push(step.kind)
          if (step.kind !== 'resend' && step.kind !== 'continue') return
          counts = step.counts
        }
        throw new Error(`it goes on for ever: ${steps.join(', ')}`)
      }),
    )
    expect(noCounts.replays).toBe(0)
  })
})
