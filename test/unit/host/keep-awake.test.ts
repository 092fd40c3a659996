import { describe, expect, it, test } from 'vitest'
import type { Helper, HelperCommand, HelperEnd } from '../../../src/host/helper.ts'
import { createKeepAwake, keepAwakeCommand, type KeepAwake } from '../../../src/host/keep-awake.ts'
import { FakeClock, settle } from '../../helpers/fake-clock.ts'
import { RecordingLogger } from '../../helpers/recording-logger.ts'

class FakeHelper implements Helper {
  readonly command: HelperCommand
  readonly ended: Promise<HelperEnd>
  readonly signals: string[] = []
  end: (end?: HelperEnd) => void = () => undefined

  constructor(command: HelperCommand) {
    this.command = command
    this.ended = new Promise((resolve) => {
      this.end = (end = { kind: 'ended', message: 'gone' }) => resolve(end)
    })
  }

  kill(signal: 'SIGTERM' | 'SIGKILL'): void {
    this.signals.push(signal)
  }
}

interface Rig {
  readonly clock: FakeClock
  readonly log: RecordingLogger
  readonly helpers: FakeHelper[]
  readonly keepAwake: KeepAwake
}

function rig(platform: NodeJS.Platform = 'linux'): Rig {
  const clock = new FakeClock()
  const log = new RecordingLogger()
  const helpers: FakeHelper[] = []
  const spawn = (command: HelperCommand): Helper => {
    const helper = new FakeHelper(command)
    helpers.push(helper)
    return helper
  }
  const keepAwake = createKeepAwake({ platform, pid: 4711, log, clock, idleMs: 10_000, spawn })
  return { clock, log, helpers, keepAwake }
}

test.each([
  ['darwin', { file: '/usr/bin/caffeinate', args: ['-i', '-w', '4711'] }],
  [
    'linux',
    {
      file: 'systemd-inhibit',
      args: ['--what=idle', '--who=oss20bd', '--why=answering a request', '--mode=block', 'cat'],
    },
  ],
  ['freebsd', null],
] as const)('the command on %s', (platform, command) => {
  expect(keepAwakeCommand(platform, 4711)).toEqual(command)
})

describe('the power assertion', () => {
  it('is held by one helper for all requests of a burst, and let go some time after the last', async () => {
    const { keepAwake, helpers, clock } = rig()
    for (let request = 0; request < 3; request += 1) {
      keepAwake.busy(true)
      keepAwake.busy(true)
      await clock.advance(60_000)
      keepAwake.busy(false)
      keepAwake.busy(false)
      await clock.advance(9999)
    }
    expect(helpers.map(({ signals }) => signals)).toEqual([[]])
    await clock.advance(1)
    expect(helpers[0]?.signals).toEqual(['SIGTERM'])
    helpers[0]?.end()
    await settle()
    expect(clock.sleeping).toBe(0)
  })

  it('is held anew for the next burst, also while the last helper is still leaving', async () => {
    const { keepAwake, helpers, clock } = rig()
    keepAwake.busy(true)
    keepAwake.busy(false)
    await clock.advance(10_000)
    keepAwake.busy(true)
    expect(helpers.map(({ signals }) => signals)).toEqual([['SIGTERM'], []])
    helpers[0]?.end()
    await clock.advance(60_000)
    expect(helpers[1]?.signals).toEqual([])
  })

  it('ends a helper that stays by SIGKILL after 2 s', async () => {
    const { keepAwake, helpers, clock } = rig()
    keepAwake.busy(true)
    keepAwake.busy(false)
    await clock.advance(11_999)
    expect(helpers[0]?.signals).toEqual(['SIGTERM'])
    await clock.advance(1)
    expect(helpers[0]?.signals).toEqual(['SIGTERM', 'SIGKILL'])
  })

  it('does not start a helper that died by itself again within the burst, and says it once', async () => {
    const { keepAwake, helpers, clock, log } = rig()
    for (let burst = 1; burst <= 3; burst += 1) {
      for (let request = 0; request < 5; request += 1) {
        keepAwake.busy(true)
        helpers.at(-1)?.end({ kind: 'ended', message: 'systemd-inhibit ended by itself' })
        await clock.advance(100)
        keepAwake.busy(false)
      }
      await clock.advance(10_000)
      expect(helpers).toHaveLength(burst)
    }
    expect(helpers.flatMap(({ signals }) => signals)).toEqual([])
    expect(log.text()).toBe(
      'debug Cannot keep this machine awake while requests run {"reason":"systemd-inhibit ended by itself"}',
    )
  })

  it('is given up for good, said once, where the program is missing', async () => {
    const { keepAwake, helpers, clock, log } = rig()
    for (let burst = 0; burst < 3; burst += 1) {
      keepAwake.busy(true)
      helpers[0]?.end({ kind: 'missing', message: 'spawn systemd-inhibit ENOENT' })
      await clock.advance(100)
      keepAwake.busy(false)
      await clock.advance(20_000)
    }
    expect(helpers).toHaveLength(1)
    expect(log.messages('debug')).toHaveLength(1)
    await keepAwake.close()
  })

  it('is not tried, said once, on a system without such a program', async () => {
    const { keepAwake, helpers, log } = rig('freebsd')
    keepAwake.busy(true)
    keepAwake.busy(false)
    keepAwake.busy(true)
    await keepAwake.close()
    expect(helpers).toEqual([])
    expect(log.messages()).toHaveLength(1)
  })

  it('starts nothing for an end of work without a beginning', async () => {
    const { keepAwake, helpers, clock } = rig()
    keepAwake.busy(false)
    expect(clock.sleeping).toBe(0)
    expect(helpers).toEqual([])
    await keepAwake.close()
  })
})

describe('closing', () => {
  it.each([
    ['while a request runs', [true]],
    ['within the idle time', [true, false]],
  ])('ends the helper %s and waits for it', async (_when, calls) => {
    const { keepAwake, helpers, clock } = rig()
    for (const isBusy of calls) keepAwake.busy(isBusy)
    let closed = false
    const closing = keepAwake.close().then(() => (closed = true))
    await settle()
    expect(helpers[0]?.signals).toEqual(['SIGTERM'])
    expect(closed).toBe(false)
    helpers[0]?.end()
    await closing
    expect(clock.sleeping).toBe(0)
  })

  it('is final, and can be asked for twice', async () => {
    const { keepAwake, helpers } = rig()
    await keepAwake.close()
    await keepAwake.close()
    keepAwake.busy(true)
    expect(helpers).toEqual([])
  })

  it('is not said to be a failure', async () => {
    const { keepAwake, helpers, log } = rig()
    keepAwake.busy(true)
    const closing = keepAwake.close()
    helpers[0]?.end({ kind: 'ended', message: 'ended by itself with SIGTERM' })
    await closing
    expect(log.records).toEqual([])
  })
})
