/** Sleep of the machine and changes of its clock, as the whole supervisor takes them. No time passes here. */
import { expect, type TestContext, test } from 'vitest'
import { type AwakeClock, createAwakeClock, type WakeGap } from '../../../src/awake-clock.ts'
import type { Supervisor } from '../../../src/supervisor/supervisor.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import {
  sceneSettings,
  type SupervisorScene,
  supervisorScene,
} from '../../helpers/supervisor-scene.ts'

const hourMs = 3_600_000
const tickMs = 5000

interface ClockScene extends SupervisorScene {
  readonly time: FakeClock
  readonly gaps: readonly WakeGap[]
}

/** A supervisor on an awake clock, wired as the daemon does it: a wake is a reason to ask. */
async function clockScene(
  { onTestFinished }: Pick<TestContext, 'onTestFinished'>,
  set: Parameters<typeof supervisorScene>[0] = {},
): Promise<ClockScene> {
  const time = new FakeClock()
  const gaps: WakeGap[] = []
  const wired: { supervisor?: Supervisor } = {}
  const clock: AwakeClock = createAwakeClock(time, {
    tickMs,
    onWake: (gap) => {
      gaps.push(gap)
      wired.supervisor?.suspect('the machine woke from sleep')
    },
  })
  const scene = await supervisorScene({ ...set, clock })
  wired.supervisor = scene.supervisor
  const ending = new AbortController()
  onTestFinished(() => ending.abort())
  void clock.run(ending.signal)
  return { ...scene, time, gaps }
}

const jumps = [
  { what: 'goes ahead by an hour', jump: (time: FakeClock) => time.jumpWallClock(hourMs), asks: 1 },
  {
    what: 'is set back by an hour',
    jump: (time: FakeClock) => time.jumpWallClock(-hourMs),
    asks: 0,
  },
  {
    what: 'and all else stands still for an hour',
    jump: (time: FakeClock) => time.standStill(hourMs),
    asks: 1,
  },
]

test.for(jumps)(
  'a clock that $what changes nothing for an engine at work',
  async ({ jump, asks }, context) => {
    const { supervisor, readyPuppet, time, gaps, journal } = await clockScene(context)
    supervisor.start()
    const puppet = await readyPuppet()
    const counters = 'llamacpp:requests_processing 1\nllamacpp:n_decode_total 7\n'
    await puppet.answer('/metrics', { status: 200, chunks: [counters] })
    const first = await puppet.onRequest('/v1/completions')
    expect(await first.closed).toBe('answered')
    jump(time)
    await time.advance(tickMs)
    expect(gaps).toHaveLength(asks)
    // The reading that was due; with a wake, the question too.
    const asked: string[] = []
    for (let count = 0; count <= asks; count += 1) asked.push((await puppet.requests.next()).url)
    expect(asked.toSorted()).toEqual(['/metrics', '/v1/completions'].slice(0, 1 + asks))
    expect(supervisor.view().life).toMatchObject({ state: { kind: 'ready', runId: 1 }, deaths: [] })
    expect(journal.map(({ kind }) => kind)).toEqual(['state', 'state'])
  },
)

test.for(jumps)(
  'a clock that $what takes nothing from the time to start',
  async ({ jump }, context) => {
    const { supervisor, puppets, until, time } = await clockScene(context)
    supervisor.start()
    const puppet = await puppets.next()
    await puppet.listening
    jump(time)
    // Not more than there was.
    await time.advance(sceneSettings.startTimeoutMs - tickMs)
    await puppet.ready()
    expect((await until('ready')).runId).toBe(1)
    expect(supervisor.view().life.deaths).toEqual([])
  },
)

test.for(jumps)(
  'a clock that $what makes a wait no shorter and no longer',
  async ({ jump }, context) => {
    const delayMs = 60_000
    const restart = { ...sceneSettings.restart, baseDelayMs: delayMs, maxDelayMs: delayMs }
    const { supervisor, readyPuppet, until, time } = await clockScene(context, { set: { restart } })
    supervisor.start()
    for (let death = 1; death <= 2; death += 1) await (await readyPuppet()).die()
    await until('backoff')
    jump(time)
    await time.advance(delayMs - 1)
    expect(supervisor.view().life.state.kind).toBe('backoff')
    await time.advance(1)
    await readyPuppet()
    expect(supervisor.view().life).toMatchObject({ lastRunId: 3, restarts: 2 })
  },
)
