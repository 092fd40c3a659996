import { describe, expect, test } from 'vitest'
import type { ExitReason } from '../../../src/engine.ts'
import {
  initialLifecycle,
  normalProfile,
  type Effect,
  type ExitedEvent,
  type Lifecycle,
  type LifecycleEvent,
  runProfile,
  type UnloadReason,
} from '../../../src/supervisor/engine-state.ts'
import { advance } from '../../../src/supervisor/lifecycle.ts'

const settings = {
  baseDelayMs: 1000,
  maxDelayMs: 60_000,
  windowMs: 600_000,
  safeModeAfter: 5,
  giveUpAfter: 3,
  maxContextHalvings: 2,
}
const crash: ExitReason = { cause: 'signal', permanent: false, message: 'killed', hint: null }
const missing: ExitReason = { cause: 'model-missing', permanent: true, message: 'gone', hint: null }
const hang: ExitReason = { cause: 'hang', permanent: false, message: 'no answer', hint: null }
const noGpuMemory: ExitReason = {
  cause: 'gpu-out-of-memory',
  permanent: false,
  message: 'the GPU ran out of memory',
  hint: null,
}
const refusal = {
  message: 'needs 20 GiB, 12 GiB are free',
  hint: 'a smaller context',
  needBytes: 20,
  haveBytes: 12,
}

function exited(runId: number, reason: ExitReason = crash): ExitedEvent {
  const exit = { pid: 1, exitCode: null, signal: 'SIGKILL', ranMs: 5, lastLines: [] }
  return { kind: 'exited', runId, reason, atEpochMs: 1, jitter: 0.5, exit }
}

function unload(reason: UnloadReason): LifecycleEvent {
  return { kind: 'unload', reason }
}

function readyEvents(runId: number): LifecycleEvent[] {
  return [
    { kind: 'loaded', runId },
    { kind: 'check-passed', runId },
  ]
}

/** Plays events a second apart, from `life` on, and keeps the effects of the last. */
function playOn(
  start: Lifecycle,
  startMs: number,
  events: readonly LifecycleEvent[],
): { life: Lifecycle; effects: readonly Effect[] } {
  let life = start
  let effects: readonly Effect[] = []
  for (const [index, event] of events.entries()) {
    const step = advance(life, event, startMs + index * 1000, settings)
    life = step.next
    effects = step.effects
  }
  return { life, effects }
}

const play = (...events: LifecycleEvent[]): ReturnType<typeof playOn> =>
  playOn(initialLifecycle, 0, events)

const up: LifecycleEvent[] = [{ kind: 'start' }, ...readyEvents(1)]

/** So many crashes, each as soon as the run has begun. */
function crashes(count: number, reason = crash): LifecycleEvent[] {
  return Array.from({ length: count }, (_, index): LifecycleEvent[] => [
    exited(index + 1, reason),
    { kind: 'backoff-over', runId: index + 1 },
  ]).flat()
}

describe('a run', () => {
  test('is ready once it has loaded and answered a token', () => {
    expect(play({ kind: 'start' }).effects).toEqual([{ kind: 'spawn', runId: 1 }])
    expect(play(...up.slice(0, 2)).effects).toEqual([{ kind: 'check', runId: 1 }])
    expect(play(...up).life.state).toEqual({
      kind: 'ready',
      runId: 1,
      readyAtMs: 2000,
      answeredWell: false,
      badAnswers: 0,
    })
  })

  test('that is refused is not started, has not died, and is tried again when something changes', () => {
    const { life, effects } = play({ kind: 'start' }, { kind: 'refused', runId: 1, refusal })
    expect(life).toMatchObject({ state: { kind: 'refused', refusal }, deaths: [], lastExit: null })
    expect(effects).toEqual([{ kind: 'watch' }])
    expect(playOn(life, 9000, [{ kind: 'changed' }]).effects).toEqual([{ kind: 'spawn', runId: 2 }])
  })

  test('that is refused after a stop was asked for leaves the engine down', () => {
    const { life } = play(
      { kind: 'start' },
      { kind: 'stop' },
      { kind: 'refused', runId: 1, refusal },
    )
    expect(life.state).toEqual({ kind: 'down' })
  })

  test('that is condemned is killed and counts as dead for that reason', () => {
    const condemned: LifecycleEvent = { kind: 'condemned', runId: 1, reason: hang }
    expect(play(...up, condemned).effects).toEqual([{ kind: 'kill', runId: 1 }])
    const { life } = play(...up, condemned, exited(1))
    expect(life.lastExit?.reason).toEqual(hang)
    expect(life.deaths).toHaveLength(1)
  })

  test('that answers two requests in a row with an error of computing is condemned; one is forgiven', () => {
    const bad: LifecycleEvent = { kind: 'bad-answer', runId: 1, reason: noGpuMemory }
    const good: LifecycleEvent = { kind: 'good-answer', runId: 1 }
    expect(play(...up, bad, good, bad).life.state.kind).toBe('ready')
    const { life, effects } = play(...up, bad, good, bad, bad)
    expect(life.state).toMatchObject({ kind: 'stopping', condemned: noGpuMemory })
    expect(effects).toEqual([{ kind: 'kill', runId: 1 }])
  })

  test('that has been replaced changes nothing any more', () => {
    const { life } = play(...up, exited(1))
    for (const event of [...up.slice(1), exited(1), { kind: 'good-answer', runId: 1 } as const]) {
      expect(advance(life, event, 9000, settings).next).toBe(life)
    }
  })

  test('is explained later only while it is the last that ended', () => {
    const reason: ExitReason = { ...crash, cause: 'killed-by-os', message: 'for want of memory' }
    const told = { kind: 'explained', runId: 1, reason, evidence: [] } as const
    expect(play(...up, exited(1), told).life.lastExit?.reason).toBe(reason)
    const { life } = play(...up, exited(1), exited(2))
    expect(advance(life, told, 9000, settings).next).toBe(life)
  })
})

describe('after a death', () => {
  test('the first new run begins at once, the second waits', () => {
    const first = play(...up, exited(1))
    expect(first.effects).toEqual([{ kind: 'spawn', runId: 2 }])
    expect(first.life.restarts).toBe(1)
    const second = play(...up, exited(1), exited(2))
    expect(second.life.state).toMatchObject({ kind: 'backoff', untilMs: 5000 })
    expect(second.effects).toEqual([{ kind: 'wait', runId: 2, delayMs: 1000 }])
  })

  test('five bring safe mode, three more the end', () => {
    const four = play({ kind: 'start' }, ...crashes(4)).life
    expect(four.profile.safeMode).toBe(false)
    const five = play({ kind: 'start' }, ...crashes(5)).life
    expect(five).toMatchObject({ state: { kind: 'starting' }, profile: { safeMode: true } })
    const eight = play({ kind: 'start' }, ...crashes(8))
    expect(eight.life.state).toMatchObject({ kind: 'failed', reason: crash })
    expect(eight.life.deaths).toHaveLength(8)
  })

  test('failing watches for a change, which clears the past', () => {
    const { life, effects } = play({ kind: 'start' }, exited(1, missing))
    expect(life.state).toMatchObject({ kind: 'failed', reason: missing })
    expect(effects).toEqual([{ kind: 'watch' }])
    const again = playOn(life, 9000, [{ kind: 'changed' }])
    expect(again.effects).toEqual([{ kind: 'spawn', runId: 2 }])
    expect(again.life.deaths).toEqual([])
  })

  test.each(['start', 'restart'] as const)('%s clears the past of a failed engine', (kind) => {
    const failed = play({ kind: 'start' }, ...crashes(8)).life
    const { life, effects } = playOn(failed, 99_000, [{ kind }])
    expect(effects).toEqual([{ kind: 'spawn', runId: 9 }])
    expect(life).toMatchObject({ deaths: [], profile: normalProfile, wanted: 'up' })
  })

  test('restart leaves safe mode of a running engine', () => {
    const safe = play({ kind: 'start' }, ...crashes(5)).life
    const { life } = playOn(safe, 99_000, [...readyEvents(6), { kind: 'restart' }, exited(6)])
    expect(life).toMatchObject({ profile: normalProfile, deaths: [], state: { kind: 'starting' } })
  })

  test('a want of GPU memory halves the context at once, as often as it can', () => {
    const once = play(...up, exited(1, noGpuMemory), exited(2, noGpuMemory))
    expect(once.effects).toEqual([{ kind: 'spawn', runId: 3 }])
    expect(once.life.profile).toEqual({ safeMode: false, contextHalvings: 2 })
    const { life } = playOn(once.life, 9000, [exited(3, noGpuMemory)])
    expect(life).toMatchObject({ state: { kind: 'backoff' }, profile: { contextHalvings: 2 } })
  })

  const wellAfterMs = 5000 + settings.windowMs
  test.each([
    { how: 'died', end: [exited(2)] },
    {
      how: 'hung',
      end: [{ kind: 'condemned', runId: 2, reason: hang } as const, exited(2)],
    },
  ])('a run that was well for long and then $how counts as the first death', ({ end }) => {
    const well = playOn(play(...up, exited(1)).life, 5000, [
      ...readyEvents(2),
      { kind: 'good-answer', runId: 2 },
    ]).life
    const { life } = playOn(well, wellAfterMs, end)
    expect(life.state).toMatchObject({ kind: 'starting', runId: 3 })
    expect(life.deaths).toHaveLength(1)
  })

  test('a long run that answered no app clears nothing that never was ready', () => {
    const idle = playOn(play({ kind: 'start' }, exited(1)).life, 5000, readyEvents(2)).life
    const { life } = playOn(idle, wellAfterMs + 1000, [exited(2)])
    expect(life.deaths).toHaveLength(2)
  })

  test('starts that fail count however slowly they come', () => {
    let life = play({ kind: 'start' }).life
    for (let run = 1; run <= 8; run += 1) {
      const events: LifecycleEvent[] = [exited(run), { kind: 'backoff-over', runId: run }]
      life = playOn(life, run * 400_000, events).life
    }
    expect(life.state.kind).toBe('failed')
  })

  test('a shortage of the system is waited out, and is no death', () => {
    const shortage: ExitReason = { ...crash, cause: 'system-shortage' }
    let life = play({ kind: 'start' }).life
    for (let run = 1; run <= 20; run += 1) {
      const step = playOn(life, run * 1000, [exited(run, shortage)])
      expect(step.effects).toEqual([{ kind: 'wait', runId: run, delayMs: 2000 }])
      life = playOn(step.life, run * 1000, [{ kind: 'backoff-over', runId: run }]).life
    }
    expect(life).toMatchObject({ deaths: [], profile: normalProfile })
  })

  test('an engine that serves a while between its deaths, which lie far apart, is kept up', () => {
    let life = play({ kind: 'start' }).life
    for (let run = 1; run <= 20; run += 1) {
      const events = [
        ...readyEvents(run),
        exited(run),
        { kind: 'backoff-over', runId: run } as const,
      ]
      life = playOn(life, run * 300_000, events).life
    }
    expect(life).toMatchObject({ state: { kind: 'starting' }, profile: { safeMode: false } })
  })
})

describe('asked by the user', () => {
  test('a stop of a ready engine is polite, of a loading one it is not', () => {
    const stop: LifecycleEvent = { kind: 'stop' }
    expect(play(...up, stop).effects).toEqual([{ kind: 'stop', runId: 1, polite: true }])
    expect(play({ kind: 'start' }, stop).effects).toEqual([
      { kind: 'stop', runId: 1, polite: false },
    ])
  })

  test('a start during a stop is remembered and begins when the old run has ended', () => {
    const { life, effects } = play(...up, { kind: 'stop' }, { kind: 'start' }, exited(1))
    expect(life.state).toMatchObject({ kind: 'starting', runId: 2 })
    expect(life.lastExit?.reason.cause).toBe('asked')
    expect(life.deaths).toEqual([])
    expect(effects).toEqual([{ kind: 'spawn', runId: 2 }])
  })

  test('ten restarts in a row stop the engine once', () => {
    let life = play(...up).life
    let stops = 0
    for (let index = 0; index < 10; index += 1) {
      const step = advance(life, { kind: 'restart' }, 9000, settings)
      life = step.next
      stops += step.effects.length
    }
    expect(stops).toBe(1)
  })

  test.each([
    { name: 'backoff', events: [...up, exited(1), exited(2)] },
    { name: 'failed', events: [{ kind: 'start' } as const, exited(1, missing)] },
    {
      name: 'refused',
      events: [{ kind: 'start' } as const, { kind: 'refused', runId: 1, refusal } as const],
    },
    { name: 'asleep', events: [...up, unload('asked'), exited(1)] },
  ])('a stop in $name is down at once', ({ name, events }) => {
    expect(play(...events).life.state.kind).toBe(name)
    expect(play(...events, { kind: 'stop' }).life.state).toEqual({ kind: 'down' })
  })

  test('an unload drains, sleeps, and a request wakes it', () => {
    expect(play(...up, unload('asked')).effects).toEqual([{ kind: 'stop', runId: 1, polite: true }])
    const asleep = play(...up, unload('asked'), exited(1)).life
    expect(asleep).toMatchObject({ state: { kind: 'asleep' }, wanted: 'up', deaths: [] })
    expect(playOn(asleep, 9000, [{ kind: 'wake' }]).effects).toEqual([{ kind: 'spawn', runId: 2 }])
  })

  test('a request that comes while it unloads wakes it as soon as it has ended', () => {
    const { effects } = play(...up, unload('asked'), { kind: 'wake' }, exited(1))
    expect(effects).toEqual([{ kind: 'spawn', runId: 2 }])
  })

  test('an unload in backoff waits for a request instead of the next try', () => {
    const { life } = play(...up, exited(1), exited(2), unload('asked'))
    expect(life.state).toEqual({ kind: 'asleep', reason: 'asked' })
  })

  test('a wake means nothing to an engine that was stopped', () => {
    const { life } = play(...up, { kind: 'stop' }, exited(1))
    expect(advance(life, { kind: 'wake' }, 9000, settings).next).toBe(life)
  })
})

describe('giving memory back', () => {
  const recycle: LifecycleEvent = { kind: 'recycle' }
  const room: LifecycleEvent = { kind: 'room' }
  const wake: LifecycleEvent = { kind: 'wake' }
  const load: LifecycleEvent = { kind: 'load' }
  const context = (halvings: number): LifecycleEvent => ({ kind: 'context', halvings })

  test('a recycle drains the engine and begins a fresh one, which is no death', () => {
    const ending = play(...up, recycle)
    expect(ending.effects).toEqual([{ kind: 'stop', runId: 1, polite: true }])
    expect(ending.life.state).toMatchObject({ kind: 'stopping', because: 'recycle' })
    const { life, effects } = play(...up, recycle, exited(1))
    expect(effects).toEqual([{ kind: 'spawn', runId: 2 }])
    expect(life).toMatchObject({ deaths: [], profile: normalProfile, lastExit: { runId: 1 } })
    expect(life.lastExit?.reason.cause).toBe('asked')
  })

  test('a recycle means nothing to an engine that still loads, sleeps or is down', () => {
    for (const events of [
      [],
      [{ kind: 'start' } as const],
      [...up, unload('idle'), exited(1)],
      [...up, { kind: 'stop' } as const],
    ]) {
      const { life } = play(...events)
      expect(advance(life, recycle, 9000, settings).next).toBe(life)
    }
  })

  test('another context ends the run for one that has it, and 0 brings the old one back', () => {
    const smaller = play(...up, context(1))
    expect(smaller.effects).toEqual([{ kind: 'stop', runId: 1, polite: true }])
    const { life } = playOn(smaller.life, 5000, [exited(1), ...readyEvents(2)])
    expect(runProfile(life)).toEqual({ safeMode: false, contextHalvings: 1 })
    expect(life).toMatchObject({ deaths: [], profile: normalProfile })
    expect(advance(life, context(1), 9000, settings).next).toBe(life)
    const { life: again } = playOn(life, 9000, [context(0), exited(2)])
    expect(runProfile(again)).toEqual(normalProfile)
  })

  test('the context is halved for want of room on top of what deaths took, never under what is of use', () => {
    const halved = play(...up, exited(1, noGpuMemory), ...readyEvents(2)).life
    expect(advance(halved, context(1), 9000, settings).next).toBe(halved)
    const { life } = playOn(halved, 9000, [context(3), exited(2), ...readyEvents(3)])
    expect(life).toMatchObject({ profile: { contextHalvings: 1 }, headroomHalvings: 1 })
    expect(runProfile(life).contextHalvings).toBe(settings.maxContextHalvings)
    const { life: back } = playOn(life, 19_000, [context(0), exited(3)])
    expect(runProfile(back).contextHalvings).toBe(1)
  })

  test.each(['down', 'asleep', 'backoff'] as const)('in %s the next run gets it', (kind) => {
    const events = {
      down: [],
      asleep: [...up, unload('idle'), exited(1)],
      backoff: [...up, exited(1), exited(2)],
    }[kind]
    const { life, effects } = play(...events, context(1))
    expect(effects).toEqual([])
    expect(life).toMatchObject({ state: { kind }, headroomHalvings: 1 })
  })

  test('a restart forgets what deaths took away, not what the machine has no room for', () => {
    const small = play(...up, context(1), exited(1), ...readyEvents(2)).life
    const { life } = playOn(small, 9000, [{ kind: 'restart' }, exited(2)])
    expect(runProfile(life).contextHalvings).toBe(1)
  })

  test('unloaded for want of memory it is loaded when there is room, and not when a request comes', () => {
    const asleep = play(...up, unload('memory'), wake, exited(1), wake).life
    expect(asleep.state).toEqual({ kind: 'asleep', reason: 'memory' })
    expect(playOn(asleep, 9000, [room]).effects).toEqual([{ kind: 'spawn', runId: 2 }])
  })

  test('room means nothing to one that sleeps for another reason', () => {
    const { life } = play(...up, unload('idle'), exited(1))
    expect(advance(life, room, 9000, settings).next).toBe(life)
  })

  test('a run for which there is no room just now sleeps until there is', () => {
    const { life } = play(...up, exited(1), { kind: 'no-room', runId: 2 }, wake)
    expect(life).toMatchObject({ state: { kind: 'asleep', reason: 'memory' }, wanted: 'up' })
    expect(life.deaths).toHaveLength(1)
    const stopped = play({ kind: 'start' }, { kind: 'stop' }, { kind: 'no-room', runId: 1 })
    expect(stopped.life.state).toEqual({ kind: 'down' })
  })

  test('whoever unloads last says why it sleeps', () => {
    const asleep = play(...up, unload('idle'), exited(1), unload('memory'), unload('asked')).life
    expect(asleep.state).toEqual({ kind: 'asleep', reason: 'asked' })
    expect(playOn(asleep, 9000, [wake]).effects).toEqual([{ kind: 'spawn', runId: 2 }])
  })

  test.each(['asked', 'idle', 'memory'] as const)('load loads what was unloaded: %s', (reason) => {
    expect(play(...up, unload(reason), exited(1), load).effects).toEqual([
      { kind: 'spawn', runId: 2 },
    ])
    expect(play(...up, unload(reason), load, exited(1)).effects).toEqual([
      { kind: 'spawn', runId: 2 },
    ])
  })

  test('load changes nothing about an engine that runs or is not wanted', () => {
    for (const events of [up, [...up, { kind: 'stop' } as const, exited(1)]]) {
      const { life } = play(...events)
      expect(advance(life, load, 9000, settings).next).toBe(life)
    }
  })

  test('what was refused is tried again when there is room, its past not forgotten', () => {
    const refused = play(...up, exited(1), { kind: 'refused', runId: 2, refusal }).life
    const { life, effects } = playOn(refused, 9000, [room])
    expect(effects).toEqual([{ kind: 'spawn', runId: 3 }])
    expect(life.deaths).toHaveLength(1)
  })

  test('a run that was well for long clears the past also when it is unloaded or recycled', () => {
    const safe = play({ kind: 'start' }, ...crashes(5)).life
    const well = playOn(safe, 99_000, [...readyEvents(6), { kind: 'good-answer', runId: 6 }]).life
    for (const event of [recycle, unload('idle')]) {
      const { life } = playOn(well, 101_000 + settings.windowMs, [event, exited(6)])
      expect(life).toMatchObject({ deaths: [], profile: normalProfile })
    }
  })
})
