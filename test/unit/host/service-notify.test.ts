import { expect, test } from 'vitest'
import {
  createServiceNotify,
  readServiceAddress,
  type ServiceAddress,
  type ServiceNotify,
} from '../../../src/host/service-notify.ts'
import type { ToolResult } from '../../../src/run-tool.ts'
import { FakeClock, settle } from '../../helpers/fake-clock.ts'
import { RecordingLogger } from '../../helpers/recording-logger.ts'

const address: ServiceAddress = { watchdogMs: 60_000, environment: { NOTIFY_SOCKET: '/run/n' } }
const sentWell: ToolResult = { kind: 'ended', stdout: '', failure: null }
const notSent: ToolResult = { kind: 'failed', reason: 'no systemd-notify here' }

interface Rig {
  readonly notify: ServiceNotify
  readonly clock: FakeClock
  readonly log: RecordingLogger
  /** The arguments of each run of the tool. */
  readonly sent: (readonly string[])[]
  /** What the tool does from now on. */
  answer: (result: ToolResult) => void
}

function rig(): Rig {
  const clock = new FakeClock()
  const log = new RecordingLogger()
  const sent: (readonly string[])[] = []
  let result = sentWell
  const run = (file: string, args: readonly string[]): Promise<ToolResult> => {
    expect(file).toBe('systemd-notify')
    sent.push(args)
    return Promise.resolve(result)
  }
  const notify = createServiceNotify({ address, run, clock, log })
  return { notify, clock, log, sent, answer: (next) => (result = next) }
}

test.each([
  [{ PATH: '/bin' }, null],
  [{ NOTIFY_SOCKET: '' }, null],
  [
    { NOTIFY_SOCKET: '@abstract', PATH: '/bin', SECRET: 's' },
    { watchdogMs: null, environment: { NOTIFY_SOCKET: '@abstract', PATH: '/bin' } },
  ],
  [
    { NOTIFY_SOCKET: '/n', WATCHDOG_USEC: '60000000', WATCHDOG_PID: '7' },
    { watchdogMs: 60_000, environment: { NOTIFY_SOCKET: '/n' } },
  ],
  [
    { NOTIFY_SOCKET: '/n', WATCHDOG_USEC: '1500000' },
    { watchdogMs: 1500, environment: { NOTIFY_SOCKET: '/n' } },
  ],
  [
    { NOTIFY_SOCKET: '/n', WATCHDOG_USEC: '60000000', WATCHDOG_PID: '8' },
    { watchdogMs: null, environment: { NOTIFY_SOCKET: '/n' } },
  ],
  [
    { NOTIFY_SOCKET: '/n', WATCHDOG_USEC: 'soon' },
    { watchdogMs: null, environment: { NOTIFY_SOCKET: '/n' } },
  ],
] as const)('what systemd told process 7 in %o', (environment, expected) => {
  expect(readServiceAddress(environment, 7)).toEqual(expected)
})

test('what is told at once is one message', async () => {
  const { notify, sent } = rig()
  notify.tell({ kind: 'ready' }, { kind: 'alive' }, { kind: 'status', text: 'loading' })
  notify.tell({ kind: 'more-time', durationMs: 1500 })
  await notify.close()
  expect(sent).toEqual([
    ['READY=1', 'WATCHDOG=1', 'STATUS=loading'],
    ['EXTEND_TIMEOUT_USEC=1500000'],
  ])
})

test('of many status lines only the newest is sent, and never more than one a second', async () => {
  const { notify, sent, clock } = rig()
  for (let percent = 0; percent <= 50; percent += 1) {
    notify.tell({ kind: 'status', text: `${percent} %` })
    await clock.advance(100)
  }
  expect(sent.map(([status]) => status)).toEqual(
    [0, 9, 19, 29, 39, 49].map((percent) => `STATUS=${percent} %`),
  )
})

test('it does not wait before it says that the port listens, or that all ends', async () => {
  const { notify, sent, clock } = rig()
  notify.tell({ kind: 'status', text: 'a' })
  await settle()
  notify.tell({ kind: 'stopping' })
  await settle()
  expect(sent).toEqual([['STATUS=a'], ['STOPPING=1']])
  await clock.advance(1000)
  expect(clock.sleeping).toBe(0)
})

test('a status is one line: another would be another message', async () => {
  const { notify, sent } = rig()
  notify.tell({ kind: 'status', text: `a\nMAINPID=1\u001B${'x'.repeat(500)}` })
  await notify.close()
  expect(sent[0]?.[0]).toMatch(/^STATUS=a MAINPID=1 x+$/)
  expect(sent[0]?.[0]).toHaveLength('STATUS='.length + 200)
})

test('what could not be sent is sent later, with what has become of it, and is told once', async () => {
  const { notify, sent, clock, log, answer } = rig()
  answer(notSent)
  notify.tell({ kind: 'ready' }, { kind: 'status', text: 'old' })
  await clock.advance(4000)
  notify.tell({ kind: 'status', text: 'new' })
  answer(sentWell)
  await clock.advance(2000)
  expect(sent.slice(-2)).toEqual([
    ['READY=1', 'STATUS=old'],
    ['READY=1', 'STATUS=new'],
  ])
  expect(log.messages()).toEqual([
    'Cannot tell systemd how the daemon is; it is tried again',
    'systemd is told again how the daemon is',
  ])
})

test('closing sends what is left, tries once, and takes nothing more', async () => {
  const { notify, sent, answer } = rig()
  answer(notSent)
  notify.tell({ kind: 'status', text: 'a' })
  await settle()
  await notify.close()
  notify.tell({ kind: 'status', text: 'b' })
  await settle()
  expect(sent).toEqual([['STATUS=a'], ['STATUS=a']])
})

test('nothing told is nothing sent, and what is told later still is', async () => {
  const { notify, sent } = rig()
  notify.tell()
  await settle()
  notify.tell({ kind: 'alive' })
  await settle()
  expect(sent).toEqual([['WATCHDOG=1']])
})
