import { describe, expect, it, test } from 'vitest'
import type { Helper, HelperCommand, HelperEnd } from '../../../src/host/helper.ts'
import {
  createNotifier,
  decideNotice,
  NOTHING_TOLD,
  noticeCommand,
  type Notifier,
} from '../../../src/host/notifications.ts'
import type { NewJournalEvent } from '../../../src/journal.ts'
import { FakeClock, settle } from '../../helpers/fake-clock.ts'
import { RecordingLogger } from '../../helpers/recording-logger.ts'

const state = (to: string, hint: string | null = null): NewJournalEvent => ({
  kind: 'state',
  message: `The engine is ${to}`,
  hint,
  facts: { to },
})
const level = (name: string): NewJournalEvent => ({
  kind: 'memory',
  message: `Memory is ${name}`,
  facts: { level: name },
})

/** The words that a person sees after these events. */
function wordsOf(events: readonly NewJournalEvent[]): readonly string[] {
  const words: string[] = []
  let told = NOTHING_TOLD
  for (const event of events) {
    const decision = decideNotice(told, event)
    told = decision.told
    if (decision.notice !== null) words.push(decision.notice.text)
  }
  return words
}

test.each([
  ['nothing, when all is well', [state('starting'), state('ready'), level('ok')], []],
  [
    'a failure once, with what to do',
    [state('failed', 'Do this'), state('failed')],
    ['The engine is failed. Do this'],
  ],
  [
    'the end of a failure',
    [state('failed'), state('starting'), state('ready'), state('ready')],
    ['The engine is failed', 'The model answers again'],
  ],
  ['nothing, when memory is only tight', [level('tight'), level('ok')], []],
  [
    'critical memory, and its end by way of tight',
    [level('critical'), level('tight'), level('critical'), level('ok'), level('ok')],
    ['Memory is critical', 'Memory is ok'],
  ],
  [
    'the engine that came back, and nothing of one that is kept',
    [
      { kind: 'engine', message: 'b is on trial', facts: { outcome: 'running' } },
      { kind: 'engine', message: 'Went back from b to a', facts: { outcome: 'rolled-back' } },
      { kind: 'engine', message: 'c is kept', facts: { outcome: 'kept' } },
    ],
    ['Went back from b to a'],
  ],
  [
    'nothing of the actions of memory',
    [{ kind: 'memory', message: 'Unloads', facts: { action: 'unload' } }],
    [],
  ],
] as [string, NewJournalEvent[], string[]][])('a person is told %s', (_what, events, words) => {
  expect(wordsOf(events)).toEqual(words)
})

test('a long text is cut', () => {
  const [text] = wordsOf([state('failed', 'x'.repeat(1000))])
  expect(text).toHaveLength(240)
})

const hostile = { title: 'oss20bd', text: '-e "& do shell script <b>' }

test('on macOS the words are arguments of the script, never part of it', () => {
  const command = noticeCommand('darwin', hostile)
  expect(command?.file).toBe('/usr/bin/osascript')
  expect(command?.args.slice(0, 6).join(' ')).not.toContain('shell')
  expect(command?.args.slice(6)).toEqual(['oss20bd', hostile.text])
})

test('on Linux they are no markup and no option', () => {
  expect(noticeCommand('linux', hostile)).toEqual({
    file: 'notify-send',
    args: ['--app-name=oss20bd', '--', 'oss20bd', '-e "&amp; do shell script &lt;b&gt;'],
  })
})

test('elsewhere nothing shows them', () => {
  expect(noticeCommand('freebsd', hostile)).toBeNull()
})

interface Rig {
  readonly notifier: Notifier
  readonly clock: FakeClock
  readonly log: RecordingLogger
  readonly shown: HelperCommand[]
  readonly signals: string[]
  readonly end: (end: HelperEnd) => void
}

function rig(desktop = true): Rig {
  const clock = new FakeClock()
  const log = new RecordingLogger()
  const shown: HelperCommand[] = []
  const signals: string[] = []
  const ends: ((end: HelperEnd) => void)[] = []
  const spawn = (command: HelperCommand): Helper => {
    shown.push(command)
    const ended = new Promise<HelperEnd>((resolve) => ends.push(resolve))
    return {
      ended,
      kill: (signal) => {
        signals.push(signal)
        for (const end of ends) end({ kind: 'ended', message: 'killed' })
      },
    }
  }
  const notifier = createNotifier({ platform: 'linux', desktop, clock, log, spawn })
  return { notifier, clock, log, shown, signals, end: (end) => ends.forEach((tell) => tell(end)) }
}

describe('the notifier', () => {
  it('shows nothing unless the config says so', async () => {
    const { notifier, shown } = rig(false)
    notifier.tell(state('failed'))
    await notifier.close()
    expect(shown).toEqual([])
  })

  it('shows one window for a failure', async () => {
    const { notifier, shown, signals, clock, end } = rig()
    notifier.tell(state('failed'))
    end({ kind: 'ended', message: 'shown' })
    await settle()
    expect(shown).toHaveLength(1)
    expect(signals).toEqual([])
    expect(clock.sleeping).toBe(0)
  })

  it('ends a program that hangs', async () => {
    const { notifier, signals, clock } = rig()
    notifier.tell(state('failed'))
    await clock.advance(10_000)
    expect(signals).toEqual(['SIGKILL'])
  })

  it('ends what is being shown when the daemon ends, and shows nothing after', async () => {
    const { notifier, signals, shown } = rig()
    notifier.tell(state('failed'))
    await notifier.close()
    notifier.tell(level('critical'))
    expect(signals).toEqual(['SIGKILL'])
    expect(shown).toHaveLength(1)
  })

  it('says in the log that the program is missing, and goes on', async () => {
    const { notifier, log, end } = rig()
    notifier.tell(state('failed'))
    end({ kind: 'missing', message: 'no notify-send' })
    await settle()
    expect(JSON.stringify(log)).toContain('no notify-send')
  })
})
