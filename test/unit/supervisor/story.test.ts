import { expect, test } from 'vitest'
import type { ExitReason } from '../../../src/engine.ts'
import {
  initialLifecycle,
  type Lifecycle,
  type LifecycleEvent,
} from '../../../src/supervisor/engine-state.ts'
import { advance } from '../../../src/supervisor/lifecycle.ts'
import { tellStep } from '../../../src/supervisor/story.ts'

const settings = {
  baseDelayMs: 1000,
  maxDelayMs: 60_000,
  windowMs: 600_000,
  safeModeAfter: 3,
  giveUpAfter: 2,
  maxContextHalvings: 1,
}
const crash: ExitReason = {
  cause: 'assert',
  permanent: false,
  message: 'llama-server gave up on an inner error',
  hint: 'Run oss20bd logs --engine',
}

function exited(runId: number, reason = crash): LifecycleEvent {
  const exit = { pid: 77, exitCode: null, signal: 'SIGABRT', ranMs: 1234, lastLines: ['a.c:1: no'] }
  return { kind: 'exited', runId, reason, atEpochMs: 1, jitter: 0.5, exit }
}

/** Each step's journal lines as `kind: message`. */
function tell(events: readonly LifecycleEvent[]): string[] {
  let life: Lifecycle = initialLifecycle
  const told: string[] = []
  for (const [index, event] of events.entries()) {
    const { next } = advance(life, event, index * 1000, settings)
    for (const { kind, message } of tellStep(life, event, next, settings)) {
      told.push(`${kind}: ${message}`)
    }
    life = next
  }
  return told
}

test('a crash loop is told from the first death to the end', () => {
  const backoffOver = (runId: number): LifecycleEvent => ({ kind: 'backoff-over', runId })
  expect(
    tell([
      { kind: 'start' },
      { kind: 'loaded', runId: 1 },
      { kind: 'check-passed', runId: 1 },
      exited(1),
      exited(2),
      backoffOver(2),
      exited(3),
      backoffOver(3),
      exited(4),
      backoffOver(4),
      exited(5),
    ]),
  ).toEqual([
    'state: The engine starts (run 1)',
    'state: The engine is ready: it answered its first token',
    'exit: llama-server gave up on an inner error',
    'decision: Start it again at once (1 death)',
    'state: The engine starts (run 2)',
    'exit: llama-server gave up on an inner error',
    'decision: Start it again in 1 s (2 deaths in 10 min)',
    'state: The engine waits for its next try',
    'state: The engine starts (run 3)',
    'exit: llama-server gave up on an inner error',
    'decision: Start it again in 2 s, in safe mode: a small context, one slot, no prompt cache (3 deaths in 10 min)',
    'state: The engine waits for its next try',
    'state: The engine starts (run 4)',
    'exit: llama-server gave up on an inner error',
    'decision: Start it again in 4 s (4 deaths in 10 min)',
    'state: The engine waits for its next try',
    'state: The engine starts (run 5)',
    'exit: llama-server gave up on an inner error',
    'decision: Gave up after 5 deaths in 10 min: it died 5 times, the last ones in safe mode',
    'state: The engine stays down: llama-server gave up on an inner error',
  ])
})

test('a smaller context, an unload and a refusal are told', () => {
  const noMemory: ExitReason = { ...crash, cause: 'gpu-out-of-memory', message: 'no GPU memory' }
  const refusal = { message: 'it needs 20 GiB', hint: null, needBytes: 20, haveBytes: 12 }
  expect(
    tell([
      { kind: 'start' },
      exited(1, noMemory),
      { kind: 'unload', reason: 'asked' },
      exited(2),
      { kind: 'wake' },
      { kind: 'refused', runId: 3, refusal },
      { kind: 'stop' },
    ]),
  ).toEqual([
    'state: The engine starts (run 1)',
    'exit: no GPU memory',
    'decision: Start it again at once, with half the context (1 death)',
    'state: The engine starts (run 2)',
    'state: The engine is being ended: as asked',
    'exit: It was asked to stop',
    'state: The model is unloaded; a request wakes it',
    'state: The engine starts (run 3)',
    'state: The engine is not started: it needs 20 GiB',
    'state: The engine is down, as asked',
  ])
})

test('what was done for memory says so', () => {
  const ready: LifecycleEvent[] = [
    { kind: 'loaded', runId: 1 },
    { kind: 'check-passed', runId: 1 },
  ]
  expect(tell([{ kind: 'start' }, ...ready, { kind: 'recycle' }, exited(1)]).slice(2)).toEqual([
    'state: The engine is being ended: a fresh one takes less memory',
    'exit: It was ended for a fresh one that takes less memory',
    'state: The engine starts (run 2)',
  ])
  expect(
    tell([{ kind: 'start' }, ...ready, { kind: 'context', halvings: 1 }, exited(1)]).slice(2, 4),
  ).toEqual([
    'state: The engine is being ended: the next one gets another context',
    'exit: It was ended for one with another context',
  ])
  expect(
    tell([{ kind: 'start' }, ...ready, { kind: 'unload', reason: 'memory' }, exited(1)]).slice(2),
  ).toEqual([
    'state: The engine is being ended: the machine runs short of memory',
    'exit: It was ended because the machine ran short of memory',
    'state: The model is unloaded for want of memory; it is loaded again once there is room',
  ])
})

test('an exit carries its facts and the last lines; one that was asked for needs no evidence', () => {
  const started = advance(initialLifecycle, { kind: 'start' }, 0, settings).next
  const event = exited(1)
  const [told] = tellStep(started, event, advance(started, event, 1, settings).next, settings)
  expect(told).toMatchObject({
    hint: 'Run oss20bd logs --engine',
    facts: { cause: 'assert', runId: 1, pid: 77, exitCode: null, signal: 'SIGABRT', ranMs: 1234 },
    evidence: ['a.c:1: no'],
  })
  const stopping = advance(started, { kind: 'stop' }, 1, settings).next
  const [asked] = tellStep(stopping, event, advance(stopping, event, 2, settings).next, settings)
  expect(asked).toMatchObject({ facts: { cause: 'asked' }, evidence: [] })
})

test('steps that a person would not ask about are not told', () => {
  const progress: LifecycleEvent = { kind: 'load-progress', runId: 1, value: 0.5 }
  expect(tell([{ kind: 'start' }, progress, { kind: 'start' }])).toHaveLength(1)
})
