import { expect, test } from 'vitest'
import { followTrial, NOTHING_SHOWN, type TrialRecord } from '../../../src/daemon/trial-policy.ts'
import type { NewJournalEvent } from '../../../src/journal.ts'

const ready: NewJournalEvent = { kind: 'state', message: 'ready', facts: { to: 'ready' } }
const starting: NewJournalEvent = { kind: 'state', message: 'starts', facts: { to: 'starting' } }
const died = (cause: string, pid: number | null = 7): NewJournalEvent => ({
  kind: 'exit',
  message: `died of ${cause}`,
  facts: { cause, pid },
})

/** Why it goes back, at the event that has it go back; else the record at the end. */
function follow(events: readonly NewJournalEvent[]): { at: number; why: string } | TrialRecord {
  let record = NOTHING_SHOWN
  for (const [at, event] of events.entries()) {
    const { next, goBack } = followTrial(record, event)
    if (goBack !== null) return { at, why: goBack }
    record = next
  }
  return record
}

test.each([
  ['a death before the first answer', [starting, died('assert')], 1, /come to answer: died of/],
  ['a check that it fails', [died('trial-failed')], 0, /died of trial-failed/],
  ['flags that it lacks', [died('bad-flag', null)], 0, /died of bad-flag/],
  ['a model that only it cannot read', [died('model-corrupt')], 0, /model-corrupt/],
  [
    'the third death after it',
    [ready, died('signal'), ready, died('hang'), ready, died('gpu-error')],
    5,
    /^it died 3 times in its first 10 min, at last: died of gpu-error$/,
  ],
])('goes back after %s', (_what, events, at, why) => {
  expect(follow(events)).toEqual({ at, why: expect.stringMatching(why) })
})

test.each([
  ['a death or two once it has answered', [ready, died('signal'), ready, died('signal')], 2],
  ['ends that were asked for', [died('asked'), ready, died('asked'), died('asked')], 0],
  ['a model that nobody can read', [died('model-corrupt', null), died('model-missing', null)], 0],
  ['a machine that is short of files', [died('system-shortage', null)], 0],
  ['a helper machine that is gone', [died('remote-lost')], 0],
  ['everything else that is told', [{ kind: 'memory', message: 'tight' } as const, starting], 0],
])('goes on after %s', (_what, events, deaths) => {
  expect(follow(events)).toMatchObject({ deaths })
})
