import { describe, expect, test } from 'vitest'
import type { ExitReason } from '../../../src/engine.ts'
import type { Explanation } from '../../../src/supervisor/supervisor-options.ts'
import {
  sceneSettings,
  slowRestart,
  supervisorScene as scene,
} from '../../helpers/supervisor-scene.ts'
import type { Puppet } from '../../helpers/puppet.ts'

const quick = {
  hangTimeoutMs: 600,
  scrapeIntervalMs: 50,
  canaryTimeoutMs: 60_000,
  canaryIntervalMs: 0,
}
const slow = { ...quick, hangTimeoutMs: 60_000 }

/** The question for the first token has been answered; what comes now is another. */
async function afterFirstToken(puppet: Puppet): Promise<void> {
  await puppet.onRequest('/v1/completions')
}

/** What the engine says of itself: so many requests at work, so many steps done. */
function counting(puppet: Puppet, requests: number, steps: number): Promise<void> {
  const text = `llamacpp:requests_processing ${requests}\nllamacpp:n_decode_total ${steps}\nllamacpp:prompt_tokens_total 0\n`
  return puppet.answer('/metrics', { status: 200, chunks: [text] })
}

describe('an engine that stands still', () => {
  test('within its work is recorded with counters, slots and last lines, killed and replaced', async () => {
    const { supervisor, readyPuppet, untilTold } = await scene({ set: { health: quick } })
    supervisor.start()
    const puppet = await readyPuppet()
    const slots = [{ id: 0, is_processing: true, id_task: 7, n_prompt_tokens: 12 }]
    await puppet.answer('/slots', { status: 200, chunks: [JSON.stringify(slots)] })
    await puppet.say('0.00.002.000 I slot print: the last line before it stood still')
    await counting(puppet, 1, 7)
    const told = await untilTold('hang')
    expect(told.message).toBe(
      'The engine stands still: it works on one request, but its counters stand still',
    )
    expect(told.facts).toMatchObject({ requestsProcessing: 1, workSteps: 7, pid: puppet.pid })
    expect(told.evidence?.join('\n')).toContain('the last line before it stood still')
    expect(told.evidence?.[0]).toContain('slot 0')
    await puppet.closed
    await readyPuppet()
    const { lastExit, deaths } = supervisor.view().life
    expect(lastExit?.reason.cause).toBe('hang')
    expect(deaths).toHaveLength(1)
  })

  test('as a whole (SIGSTOP) while idle is found by its silence', async () => {
    const { supervisor, readyPuppet, untilTold } = await scene({ set: { health: quick } })
    supervisor.start()
    const puppet = await readyPuppet()
    process.kill(puppet.pid, 'SIGSTOP')
    expect((await untilTold('hang')).evidence?.[0]).toBe('slots: no answer')
    await puppet.closed
    await readyPuppet()
    expect(supervisor.view().life.lastExit?.reason.cause).toBe('hang')
  })

  test('but moves again in time is left alone', async () => {
    const { supervisor, readyPuppet, journal } = await scene({ set: { health: quick } })
    supervisor.start()
    const puppet = await readyPuppet()
    for (let steps = 0; steps < 20; steps += 1) {
      await counting(puppet, 1, steps)
      await puppet.onRequest('/metrics')
    }
    expect(supervisor.view()).toMatchObject({ counters: { workSteps: expect.any(Number) } })
    expect(journal.map(({ kind }) => kind)).not.toContain('hang')
  })

  test('is not believed only because its /health says 200', async () => {
    const { supervisor, readyPuppet, untilTold } = await scene({ set: { health: quick } })
    supervisor.start()
    const puppet = await readyPuppet()
    await puppet.answer('/health', { status: 200, chunks: ['{"status":"ok"}'] })
    await puppet.answer('/metrics', { after: 'hold' })
    await puppet.answer('/v1/completions', { after: 'hold' })
    await untilTold('hang')
    await puppet.closed
    expect((await readyPuppet()).pid).not.toBe(puppet.pid)
  })
})

describe('a question for one token', () => {
  test('after a wake is answered, and nothing happens', async () => {
    const { supervisor, readyPuppet, until } = await scene({ set: { health: slow } })
    supervisor.start()
    const puppet = await readyPuppet()
    await afterFirstToken(puppet)
    supervisor.suspect('the machine woke from sleep')
    const canary = await puppet.onRequest('/v1/completions')
    expect(await canary.closed).toBe('answered')
    expect((await until('ready')).runId).toBe(1)
  })

  test('that is not answered in time, by an engine that shows no work, ends it', async () => {
    const health = { ...slow, canaryTimeoutMs: 200, scrapeIntervalMs: 60_000 }
    const { supervisor, readyPuppet } = await scene({ set: { health } })
    supervisor.start()
    const puppet = await readyPuppet()
    await puppet.answer('/v1/completions', { after: 'hold' })
    supervisor.suspect('the machine woke from sleep')
    await puppet.closed
    await readyPuppet()
    expect(supervisor.view().life.lastExit?.reason).toMatchObject({
      cause: 'hang',
      message: expect.stringContaining('no token within 0.2 s'),
    })
  })

  test('that stands in line behind work that goes on is no hang', async () => {
    const health = { ...slow, canaryTimeoutMs: 200 }
    const { supervisor, readyPuppet, until } = await scene({ set: { health } })
    supervisor.start()
    const puppet = await readyPuppet()
    await afterFirstToken(puppet)
    await puppet.answer('/v1/completions', { after: 'hold' })
    supervisor.suspect('the machine woke from sleep')
    const canary = await puppet.onRequest('/v1/completions')
    for (let steps = 0; steps < 8; steps += 1) {
      await counting(puppet, 1, steps)
      await puppet.onRequest('/metrics')
    }
    expect(await canary.closed).toBe('cut')
    expect((await until('ready')).runId).toBe(1)
  })

  test('comes by itself at the interval that was configured', async () => {
    const health = { ...slow, canaryIntervalMs: 50 }
    const { supervisor, readyPuppet } = await scene({ set: { health } })
    supervisor.start()
    const puppet = await readyPuppet()
    await afterFirstToken(puppet)
    for (let count = 0; count < 3; count += 1) await puppet.onRequest('/v1/completions')
    expect(supervisor.view().life.state.kind).toBe('ready')
  })

  test('after a wake that is refused is asked again, and refused again ends it', async () => {
    const { supervisor, readyPuppet } = await scene({ set: { health: slow } })
    supervisor.start()
    const puppet = await readyPuppet()
    await afterFirstToken(puppet)
    await puppet.answer('/v1/completions', { status: 500, chunks: ['{}'] })
    supervisor.suspect('the machine woke from sleep')
    await puppet.closed
    await readyPuppet()
    expect(supervisor.view().life.lastExit?.reason.cause).toBe('gpu-error')
  })

  test('that is refused once is forgiven', async () => {
    const { supervisor, readyPuppet } = await scene({ set: { health: slow } })
    supervisor.start()
    const puppet = await readyPuppet()
    await afterFirstToken(puppet)
    await puppet.answer('/v1/completions', { status: 500, chunks: ['{}'], times: 1 })
    supervisor.suspect('the machine woke from sleep')
    for (const how of ['answered', 'answered']) {
      expect(await (await puppet.onRequest('/v1/completions')).closed).toBe(how)
    }
    expect(supervisor.view().life.state).toMatchObject({ kind: 'ready', runId: 1 })
  })
})

describe('an engine whose GPU has failed', () => {
  const noMemory =
    'error: Insufficient Memory (00000008:kIOGPUCommandBufferCallbackErrorOutOfMemory)'

  test('is replaced as soon as it says so, with half the context, though it lives on', async () => {
    const { supervisor, readyPuppet, profiles } = await scene()
    supervisor.start()
    const puppet = await readyPuppet()
    await puppet.say('ggml_metal_synchronize: error: command buffer 0 failed with status 5')
    await puppet.say(noMemory)
    await puppet.closed
    await readyPuppet()
    expect(supervisor.view().life.lastExit?.reason.cause).toBe('gpu-out-of-memory')
    expect(profiles.map(({ contextHalvings }) => contextHalvings)).toEqual([0, 1])
  })

  test('halves the context once, the smallest there is, and then counts as any death', async () => {
    const { supervisor, readyPuppet, profiles, until } = await scene({
      set: { restart: slowRestart },
    })
    supervisor.start()
    for (let run = 1; run <= 2; run += 1) {
      const puppet = await readyPuppet()
      await puppet.say(`0.00.002.000 E ${noMemory}`)
      await puppet.closed
    }
    await until('backoff')
    expect(profiles.map(({ contextHalvings }) => contextHalvings)).toEqual([0, 1])
  })

  test('is replaced after two answers in a row that it cannot compute', async () => {
    const { supervisor, readyPuppet } = await scene()
    supervisor.start()
    const puppet = await readyPuppet()
    supervisor.answered(1, 'compute-error')
    supervisor.answered(1, 'good')
    supervisor.answered(1, 'compute-error')
    expect(supervisor.view().life.state.kind).toBe('ready')
    supervisor.answered(1, 'compute-error')
    await puppet.closed
    await readyPuppet()
    expect(supervisor.view().life.lastExit?.reason.cause).toBe('gpu-error')
  })
})

describe('safe mode', () => {
  test('comes after the deaths that were set, is seen in the set-up, and restart ends it', async () => {
    const { supervisor, puppets, readyPuppet, profiles } = await scene()
    supervisor.start()
    for (let death = 1; death <= sceneSettings.restart.safeModeAfter; death += 1) {
      await (await puppets.next()).die('SIGSEGV')
    }
    const safe = await readyPuppet()
    expect(profiles.map(({ safeMode }) => safeMode)).toEqual([false, false, false, true])
    supervisor.restart()
    await safe.closed
    await readyPuppet()
    expect(profiles.at(-1)).toEqual({ safeMode: false, contextHalvings: 0 })
  })
})

describe('what stood in the way', () => {
  const missing: ExitReason = {
    cause: 'model-missing',
    permanent: true,
    message: 'Cannot load the model: no file',
    hint: null,
  }

  test('a permanent cause is not retried, and wakes up by itself when something changes', async () => {
    let verdict: { kind: 'go' } | { kind: 'cannot'; reason: ExitReason } = {
      kind: 'cannot',
      reason: missing,
    }
    let change = (): void => undefined
    const changed = new Promise<void>((resolve) => {
      change = resolve
    })
    const { supervisor, until, readyPuppet } = await scene({
      preflight: () => Promise.resolve(verdict),
      untilChanged: () => changed,
    })
    supervisor.start()
    expect((await until('failed')).reason).toEqual(missing)
    verdict = { kind: 'go' }
    change()
    await readyPuppet()
    expect(supervisor.view().life.deaths).toEqual([])
  })

  test('the watch for a change ends when the user stops', async () => {
    let over = (): void => undefined
    const ended = new Promise<void>((resolve) => {
      over = resolve
    })
    const { supervisor, until } = await scene({
      preflight: () => Promise.resolve({ kind: 'cannot', reason: missing }),
      untilChanged: (signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            over()
            reject(new Error('aborted'))
          })
        }),
    })
    supervisor.start()
    await until('failed')
    supervisor.stop()
    await ended
    expect(supervisor.view().life.state.kind).toBe('down')
  })

  test('a model that would not fit is refused, not tried', async () => {
    const numbers = { needBytes: 20 * 2 ** 30, haveBytes: 12 * 2 ** 30 }
    const words = { message: 'it needs 20 GiB, 12 GiB are free', hint: 'a smaller context' }
    const refusal = { ...words, ...numbers }
    const { supervisor, until, profiles } = await scene({
      preflight: () => Promise.resolve({ kind: 'refuse', refusal }),
    })
    supervisor.start()
    expect((await until('refused')).refusal).toEqual(refusal)
    expect(profiles).toEqual([])
  })

  test('what was refused begins when there is room, and not when a request comes', async () => {
    const refusal = { message: 'no room', hint: null, needBytes: 2, haveBytes: 1 }
    let hasRoom = false
    const { supervisor, until, readyPuppet } = await scene({
      preflight: () => Promise.resolve(hasRoom ? { kind: 'go' } : { kind: 'refuse', refusal }),
    })
    supervisor.start()
    await until('refused')
    hasRoom = true
    supervisor.wake()
    expect(supervisor.view().life.state.kind).toBe('refused')
    supervisor.room()
    await readyPuppet()
  })
})

describe('memory given back', () => {
  test('a recycle drains the engine, begins a fresh one, and is no death', async () => {
    const { supervisor, readyPuppet, drains, profiles } = await scene()
    supervisor.start()
    const first = await readyPuppet()
    supervisor.recycle()
    const second = await readyPuppet()
    expect(second.pid).not.toBe(first.pid)
    expect([drains(), profiles.length]).toEqual([1, 2])
    expect(supervisor.view().life).toMatchObject({ deaths: [], restarts: 1 })
  })

  test('a smaller context is a fresh engine with half of it, and the old one comes back', async () => {
    const { supervisor, readyPuppet, profiles } = await scene()
    supervisor.start()
    await readyPuppet()
    supervisor.setContext(1)
    await readyPuppet()
    supervisor.setContext(0)
    await readyPuppet()
    expect(profiles.map(({ contextHalvings }) => contextHalvings)).toEqual([0, 1, 0])
  })

  test('unloaded for want of memory it stays so whoever asks, until there is room', async () => {
    const { supervisor, readyPuppet, until } = await scene()
    supervisor.start()
    await readyPuppet()
    supervisor.unload('memory')
    expect(await until('asleep')).toEqual({ kind: 'asleep', reason: 'memory' })
    supervisor.wake()
    expect(supervisor.view().life.state.kind).toBe('asleep')
    supervisor.room()
    await readyPuppet()
  })

  test('a load that the machine has no room for just now sleeps on', async () => {
    let hasRoom = true
    const { supervisor, readyPuppet, until, profiles } = await scene({
      preflight: () => Promise.resolve({ kind: hasRoom ? 'go' : 'no-room' }),
    })
    supervisor.start()
    await readyPuppet()
    supervisor.unload('idle')
    await until('asleep')
    hasRoom = false
    supervisor.load()
    await until('starting')
    expect(await until('asleep')).toEqual({ kind: 'asleep', reason: 'memory' })
    expect(profiles).toHaveLength(1)
  })
})

test('a kill from outside is explained by what the operating system knows of it', async () => {
  const found: Explanation = {
    cause: 'killed-by-os',
    message: 'The kernel killed it for want of memory',
    hint: 'Close other apps',
    evidence: ['Out of memory: Killed process 1 (llama-server)'],
  }
  const asked: unknown[] = []
  const { supervisor, readyPuppet, untilTold } = await scene({
    explainDeath: (death) => {
      asked.push(death)
      return Promise.resolve(found)
    },
  })
  supervisor.start()
  const puppet = await readyPuppet()
  await puppet.die('SIGKILL')
  const told = await untilTold('explained')
  expect(told).toMatchObject({ message: found.message, evidence: found.evidence })
  expect(asked).toMatchObject([{ pid: puppet.pid, signal: 'SIGKILL' }])
  expect(supervisor.view().life.lastExit?.reason.message).toBe(found.message)
})

test('an unloaded engine gives its process back and comes again for a request', async () => {
  const { supervisor, readyPuppet, until, drains } = await scene()
  supervisor.start()
  const puppet = await readyPuppet()
  supervisor.unload('asked')
  await puppet.closed
  await until('asleep')
  expect(drains()).toBe(1)
  expect(supervisor.view()).toMatchObject({ enginePid: null, life: { wanted: 'up' } })
  supervisor.wake()
  await readyPuppet()
})

test('a stop reports what did not finish and what it took', async () => {
  const { supervisor, readyPuppet, until, untilTold } = await scene({
    drain: () => Promise.resolve({ unfinished: 2 }),
  })
  supervisor.start()
  const puppet = await readyPuppet()
  await puppet.ignore('polite-exit')
  await puppet.ignore('SIGTERM')
  await puppet.ignore('stdin-end')
  supervisor.stop()
  expect((await untilTold('stop-report')).message).toBe(
    '2 requests were cut off; the engine had to be killed (SIGKILL)',
  )
  await until('down')
  expect(supervisor.view().lastStop).toMatchObject({ unfinished: 2, endedBy: 'SIGKILL' })
})
