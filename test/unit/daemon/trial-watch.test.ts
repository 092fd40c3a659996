import { mkdir } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { TRIAL_MS } from '../../../src/daemon/trial-policy.ts'
import { TrialWatch } from '../../../src/daemon/trial-watch.ts'
import { currentEngine, putInUse, readTrial } from '../../../src/engine-trial.ts'
import type { NewJournalEvent } from '../../../src/journal.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { tempDir, type TempDir } from '../../helpers/temp-dir.ts'

const ready: NewJournalEvent = { kind: 'state', message: 'ready', facts: { to: 'ready' } }
const died: NewJournalEvent = {
  kind: 'exit',
  message: 'crashed',
  facts: { cause: 'signal', pid: 7 },
}

/** `new` has taken the place of `old`; `told` is resolved by the next event of that outcome. */
async function trialOf(dir: TempDir, isOurs = true) {
  for (const name of ['old', 'new']) await mkdir(dir.file(name))
  for (const name of ['old', 'new']) {
    await putInUse(dir.path, name, { begunAt: 'then', earlierTokensPerSecond: null })
  }
  const clock = new FakeClock()
  const ending = new AbortController()
  const journal: NewJournalEvent[] = []
  const waiting = new Map<unknown, (event: NewJournalEvent) => void>()
  const watch = new TrialWatch({
    engines: dir.path,
    isOurs: () => isOurs,
    clock,
    journal: (event) => {
      journal.push(event)
      waiting.get(event.facts?.['outcome'])?.(event)
    },
    restart: () => undefined,
    ending: ending.signal,
  })
  const told = (outcome: string) =>
    new Promise<NewJournalEvent>((resolve) => {
      waiting.set(outcome, resolve)
    })
  return { watch, clock, ending, journal, told }
}

test('an engine that did well for 10 minutes is kept, and so it stays for the next daemon', async () => {
  await using dir = await tempDir()
  const { watch, clock, told, journal } = await trialOf(dir)
  await watch.look()
  watch.hear(ready)
  watch.hear(died)
  watch.hear(ready)
  expect(clock.sleeping).toBe(1)
  const kept = told('kept')
  await clock.advance(TRIAL_MS)
  expect((await kept).message).toBe('The engine new is kept: it did well for 10 min')
  expect(watch.trial).toMatchObject({ outcome: 'kept' })
  expect(await readTrial(dir.path)).toMatchObject({ outcome: 'kept', why: null })
  for (const _death of [1, 2, 3]) watch.hear(died)
  await watch.look()
  expect(journal.map(({ facts }) => facts?.['outcome'])).toEqual(['running', 'kept'])
})

test('the end of the daemon ends the wait, and keeps nothing', async () => {
  await using dir = await tempDir()
  const { watch, clock, ending, journal } = await trialOf(dir)
  await watch.look()
  watch.hear(ready)
  ending.abort()
  await clock.advance(TRIAL_MS)
  expect(clock.sleeping).toBe(0)
  expect(journal).toHaveLength(1)
  expect(await readTrial(dir.path)).toMatchObject({ outcome: 'running' })
})

test('a choice that somebody makes meanwhile is theirs: nothing goes back', async () => {
  await using dir = await tempDir()
  const { watch } = await trialOf(dir)
  await watch.look()
  await mkdir(dir.file('third'))
  await putInUse(dir.path, 'third', { begunAt: 'now', earlierTokensPerSecond: null })
  watch.hear(died)
  expect(watch.isGoingBack).toBe(true)
  await watch.look()
  expect(watch.isGoingBack).toBe(false)
  expect(await currentEngine(dir.path)).toBe('third')
  expect(watch.trial).toMatchObject({ engine: 'third', earlier: 'new', outcome: 'running' })
})

test('an engine that the config names is nobody’s trial', async () => {
  await using dir = await tempDir()
  const { watch, journal } = await trialOf(dir, false)
  await watch.look()
  watch.hear(died)
  expect([watch.trial, watch.isGoingBack, journal]).toEqual([null, false, []])
})
