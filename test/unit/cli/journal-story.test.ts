import { describe, expect, it, test } from 'vitest'
import { tellingLines } from '../../../src/cli/journal-evidence.ts'
import { tellWhy, type Story } from '../../../src/cli/journal-story.ts'
import { NO_PAINT } from '../../../src/cli/paint.ts'
import { timeText } from '../../../src/cli/render-event.ts'
import { renderStory } from '../../../src/cli/render-story.ts'
import type { EngineStateKind } from '../../../src/daemon/control-protocol.ts'
import type { JournalEvent, JournalKind } from '../../../src/journal.ts'
import { formatDuration } from '../../../src/units.ts'
import { makeStatus, type StatusChange } from '../../helpers/status.ts'

const BEGIN_MS = Date.UTC(2026, 0, 1)
const NOW_MS = BEGIN_MS + 3_600_000

type More = Partial<Pick<JournalEvent, 'hint' | 'facts' | 'evidence'>>

/** An event `second` seconds after the daemon started. */
function ev(second: number, kind: JournalKind, message: string, more: More = {}): JournalEvent {
  const at = new Date(BEGIN_MS + second * 1000).toISOString()
  return { at, kind, message, hint: null, facts: {}, evidence: [], ...more }
}

const begin = ev(0, 'daemon-started', 'The daemon started')
const to = (second: number, state: string): JournalEvent =>
  ev(second, 'state', `now ${state}`, { facts: { to: state } })
const died = (second: number, cause = 'signal', more: More = {}): JournalEvent =>
  ev(second, 'exit', `died of ${cause}`, {
    hint: `against ${cause}`,
    evidence: [`line about ${cause}`],
    ...more,
    facts: { cause },
  })
const decided = (second: number, message: string, more: More = {}): JournalEvent =>
  ev(second, 'decision', message, more)
const ended = (second: number): JournalEvent =>
  ev(second, 'exit', 'It was asked to stop', { facts: { cause: 'asked' } })

function why(
  state: string,
  events: readonly JournalEvent[],
  change: StatusChange['engine'] = {},
): Story {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a state may also come from a newer daemon
  const kind = state as EngineStateKind
  const status = makeStatus({
    engine: { state: kind, detail: `${state} in words`, sinceMs: 60_000, ...change },
  })
  return tellWhy(status, events, NOW_MS)
}

interface Case {
  readonly name: string
  readonly state: string
  readonly events: readonly JournalEvent[]
  readonly story: readonly string[]
  readonly hint: string | null
  readonly evidence?: readonly string[]
  readonly sums?: readonly unknown[]
  readonly mood?: Story['mood']
}

const cases: readonly Case[] = [
  {
    name: 'ready since the start: all is well',
    state: 'ready',
    events: [begin, to(1, 'starting'), to(5, 'ready')],
    story: [],
    hint: null,
    mood: 'well',
  },
  {
    name: 'ready after one crash: the crash, and that it came back',
    state: 'ready',
    events: [
      begin,
      to(5, 'ready'),
      died(2000),
      decided(2000, 'at once'),
      to(2000, 'starting'),
      to(2004, 'ready'),
    ],
    story: ['died of signal', 'at once', 'now ready'],
    hint: 'against signal',
    evidence: ['line about signal'],
    mood: 'well',
  },
  {
    name: 'ready, and the kernel told of its kill only later',
    state: 'ready',
    events: [
      begin,
      to(5, 'ready'),
      died(2000, 'killed-by-os'),
      decided(2000, 'at once'),
      to(2000, 'starting'),
      to(2004, 'ready'),
      ev(2010, 'explained', 'The kernel killed it', {
        hint: 'add memory',
        evidence: ['Out of memory: Killed process 7'],
      }),
    ],
    story: ['died of killed-by-os', 'at once', 'now ready', 'The kernel killed it'],
    hint: 'add memory',
    evidence: ['Out of memory: Killed process 7', 'line about killed-by-os'],
    mood: 'well',
  },
  {
    name: 'ready after a restart that was asked for',
    state: 'ready',
    events: [
      begin,
      to(5, 'ready'),
      ev(900, 'asked', 'restart'),
      ev(901, 'stop-report', 'in 1 s'),
      ended(901),
      to(901, 'starting'),
      to(905, 'ready'),
    ],
    story: ['restart', 'in 1 s', 'It was asked to stop', 'now ready'],
    hint: null,
    mood: 'well',
  },
  {
    name: 'ready in safe mode: with less than was asked for',
    state: 'ready',
    events: [
      begin,
      to(5, 'ready'),
      died(10),
      decided(10, 'at once'),
      to(15, 'ready'),
      died(20),
      decided(20, 'in safe mode', { facts: { safeMode: true } }),
      to(25, 'ready'),
    ],
    story: [
      'The daemon started',
      'died of signal',
      'at once',
      'died of signal',
      'in safe mode',
      'now ready',
    ],
    hint: 'against signal; in full again: oss20bd restart',
    evidence: ['line about signal'],
    sums: [`llama-server died 2 times within ${formatDuration(10_000)} (signal 2)`],
    mood: 'reduced',
  },
  {
    name: 'ready with half the context, because the GPU ran out of memory',
    state: 'ready',
    events: [
      begin,
      to(5, 'ready'),
      died(2000, 'gpu-out-of-memory'),
      decided(2000, 'half the context', { facts: { safeMode: false, contextHalvings: 1 } }),
      to(2005, 'ready'),
    ],
    story: ['died of gpu-out-of-memory', 'half the context', 'now ready'],
    hint: 'against gpu-out-of-memory; in full again: oss20bd restart',
    evidence: ['line about gpu-out-of-memory'],
    mood: 'reduced',
  },
  {
    name: 'ready after the daemon was killed: what it left was ended',
    state: 'ready',
    events: [
      begin,
      to(5, 'ready'),
      ev(1000, 'daemon-started', 'The daemon started again'),
      ev(1000, 'orphan', 'ended pid 7'),
      to(1001, 'starting'),
      to(1005, 'ready'),
    ],
    story: ['The daemon started again', 'ended pid 7', 'now ready'],
    hint: null,
    sums: [
      expect.stringMatching(
        /^The daemon before ended without a word, last heard of at .*: it was killed/,
      ),
    ],
    mood: 'well',
  },
  {
    name: 'asleep: how it came to sleep',
    state: 'asleep',
    events: [begin, to(5, 'ready'), ev(900, 'asked', 'unload'), ended(901), to(901, 'asleep')],
    story: ['unload', 'It was asked to stop', 'now asleep'],
    hint: null,
    mood: 'well',
  },
  {
    name: 'down: the user asked',
    state: 'down',
    events: [
      begin,
      to(5, 'ready'),
      died(30),
      decided(30, 'at once'),
      to(35, 'ready'),
      ev(900, 'asked', 'stop'),
      ev(901, 'stop-report', '1 cut'),
      ended(901),
      to(901, 'down'),
    ],
    story: ['stop', '1 cut', 'It was asked to stop'],
    hint: 'Start it: oss20bd start',
  },
  {
    name: 'starting for the first time',
    state: 'starting',
    events: [begin, to(1, 'starting')],
    story: ['The daemon started'],
    hint: null,
  },
  {
    name: 'starting again after the machine slept and it hung',
    state: 'starting',
    events: [
      begin,
      to(5, 'ready'),
      ev(2000, 'wake', 'slept for 5 min'),
      ev(2060, 'hang', 'It stood still', { evidence: ['slot 0 busy'] }),
      died(2061, 'hang'),
      decided(2061, 'at once'),
      to(2061, 'starting'),
    ],
    story: ['slept for 5 min', 'It stood still', 'died of hang', 'at once'],
    hint: 'against hang',
    evidence: ['slot 0 busy'],
  },
  {
    name: 'stopping: who asked',
    state: 'stopping',
    events: [begin, to(5, 'ready'), ev(900, 'asked', 'stop'), to(900, 'stopping')],
    story: ['stop'],
    hint: null,
  },
  {
    name: 'backoff in a crash loop: every death and decision',
    state: 'backoff',
    events: [
      begin,
      to(5, 'ready'),
      died(700),
      decided(700, 'at once'),
      to(705, 'ready'),
      died(710, 'assert'),
      decided(710, 'in 1 s'),
      to(710, 'backoff'),
      to(711, 'starting'),
      died(730),
      decided(730, 'in 2 s'),
      to(730, 'backoff'),
    ],
    story: ['died of signal', 'at once', 'died of assert', 'in 1 s', 'died of signal', 'in 2 s'],
    hint: 'against signal',
    evidence: ['line about signal'],
    sums: [`llama-server died 3 times within ${formatDuration(30_000)} (signal 2, assert 1)`],
  },
  {
    name: 'refused: what it needs',
    state: 'refused',
    events: [
      begin,
      ev(1, 'state', 'needs 14 GiB', { hint: 'close apps', facts: { to: 'refused' } }),
    ],
    story: ['The daemon started', 'needs 14 GiB'],
    hint: 'close apps',
  },
  {
    name: 'failed for a fault that stays: the advice, then restart',
    state: 'failed',
    events: [begin, died(1, 'model-missing'), decided(1, 'gave up'), to(1, 'failed')],
    story: ['The daemon started', 'died of model-missing', 'gave up'],
    hint: 'against model-missing; then: oss20bd restart',
    evidence: ['line about model-missing'],
  },
  {
    name: 'failed again after something changed',
    state: 'failed',
    events: [
      begin,
      died(1, 'model-missing'),
      decided(1, 'gave up'),
      to(1, 'failed'),
      ev(60, 'changed', 'the model changed'),
      died(61, 'model-corrupt', { hint: null }),
      to(61, 'failed'),
    ],
    story: [
      'The daemon started',
      'died of model-missing',
      'gave up',
      'the model changed',
      'died of model-corrupt',
      'now failed',
    ],
    hint: 'See its last lines: oss20bd logs --engine; then: oss20bd restart',
    evidence: ['line about model-corrupt'],
    sums: [
      `llama-server died 2 times within ${formatDuration(60_000)} (model-missing 1, model-corrupt 1)`,
    ],
  },
  {
    name: 'a state of a newer version',
    state: 'dreaming',
    events: [begin],
    story: ['The daemon started'],
    hint: null,
  },
]

describe('why', () => {
  it.each(cases)('$name', ({ state, events, story, hint, evidence = [], sums = [], mood }) => {
    const told = why(state, events)
    expect(told).toMatchObject({ state, hint, message: `${state} in words`, evidence })
    expect(told.since).toBe(new Date(NOW_MS - 60_000).toISOString())
    expect(told.story.map(({ message }) => message)).toEqual(story)
    expect(told.sums).toEqual(sums)
    expect(told.mood).toBe(mood ?? 'trouble')
  })

  it('is told by the status alone when the journal could not be written', () => {
    const lastExit = {
      cause: 'gpu-error',
      message: 'the GPU stopped',
      hint: 'restart the Mac',
      at: new Date(BEGIN_MS + 90_000).toISOString(),
    } as const
    const told = why('failed', [begin, to(5, 'ready')], { lastExit })
    expect(told.story.map(({ message }) => message)).toEqual([
      'The daemon started',
      'the GPU stopped',
    ])
    expect(told.hint).toBe('restart the Mac; then: oss20bd restart')
  })

  it('does not tell the last exit twice', () => {
    const lastExit = {
      cause: 'signal',
      message: 'died of signal',
      hint: null,
      at: new Date(BEGIN_MS + 1_500).toISOString(),
    } as const
    expect(why('failed', [begin, died(1)], { lastExit }).story).toHaveLength(2)
  })
})

describe('why, with no daemon', () => {
  it.each([
    ['none ever ran', [], null, 'none before', 'Start it: oss20bd start'],
    [
      'it was asked to end',
      [begin, ev(9, 'asked', 'end'), ended(10), ev(10, 'daemon-stopped', 'stopped')],
      '2026-01-01T00:00:10.000Z',
      'in good order',
      'Start it: oss20bd start',
    ],
    [
      'it was killed',
      [begin, to(5, 'ready')],
      null,
      'without a word: it was killed, it crashed, or the power was lost',
      'Start it: oss20bd start; see what it wrote last: oss20bd logs --daemon -n 50',
    ],
  ] as const)('%s', (_name, events, since, message, hint) => {
    const told = tellWhy(null, events, NOW_MS)
    expect(told).toMatchObject({ state: 'not-running', since, hint, mood: 'trouble' })
    expect(told.message).toContain(message)
  })

  it('says when a killed one was last heard of, which its engine may know best', () => {
    const told = tellWhy(null, [begin, died(5)], NOW_MS, BEGIN_MS + 60_000)
    expect(told.sums).toEqual([`The daemon was last heard of at ${timeText(BEGIN_MS + 60_000)}`])
    expect(told.hint).toContain('for llama-server: against signal')
    expect(told.evidence).toEqual(['line about signal'])
  })

  it('has words for one that does not answer', () => {
    const told = tellWhy('silent', [begin, ev(5, 'wake', 'slept')], NOW_MS)
    expect(told).toMatchObject({ state: 'silent', message: expect.stringContaining('not answer') })
    expect(told.story.map(({ kind }) => kind)).toEqual(['daemon-started', 'wake'])
  })
})

test('the telling lines are few, in order, each once, with the very last ones', () => {
  const chatter = Array.from({ length: 40 }, (_, index) => `slot update ${index}`)
  const lines = [
    'early error',
    ...chatter.slice(0, 20),
    '',
    'GGML_ASSERT(x) failed',
    'GGML_ASSERT(x) failed',
    ...chatter.slice(20),
  ]
  expect(tellingLines(lines)).toEqual([
    'early error',
    'GGML_ASSERT(x) failed',
    ...chatter.slice(-4),
  ])
  const errors = Array.from({ length: 50 }, (_, index) => `error ${index}`)
  expect(tellingLines(errors)).toEqual(errors.slice(-12))
  expect(tellingLines(errors.slice(0, 12))).toEqual(errors.slice(0, 12))
})

describe('the screen', () => {
  const crash = died(700, 'gpu-error', {
    evidence: [...Array.from({ length: 49 }, (_, index) => `slot ${index}`), 'error:\u001B[31m 5'],
  })
  const story = why('failed', [begin, to(5, 'ready'), crash, decided(700, 'gave up')])
  const at = timeText(BEGIN_MS + 700_000)

  it('is what is, why, what shows it, what to do', () => {
    expect(renderStory(story, NO_PAINT, NOW_MS, false)).toEqual([
      `failed for ${formatDuration(60_000)}, since ${timeText(NOW_MS - 60_000)}: failed in words`,
      '',
      'Why',
      `  ${at} exit           died of gpu-error`,
      `  ${at} decision       gave up`,
      '',
      'Evidence, 4 of 50 lines (all: oss20bd why --all)',
      ...['slot 46', 'slot 47', 'slot 48', 'error:\\x1b[31m 5'].map((line) => `  | ${line}`),
      '',
      'What to do',
      '  against gpu-error; then: oss20bd restart',
    ])
  })

  it('has every line when asked', () => {
    const lines = renderStory(story, NO_PAINT, NOW_MS, true)
    expect(lines).toContain('Evidence')
    expect(lines.filter((line) => line.startsWith('  |'))).toHaveLength(50)
  })

  it('tells of a long story the beginning and the end', () => {
    const loop = Array.from({ length: 20 }, (_, index) => died(10 + index))
    const long = why('failed', [begin, ...loop])
    const lines = renderStory(long, NO_PAINT, NOW_MS, false)
    expect(lines).toContain('  ... 9 more (oss20bd why --all)')
    expect(lines).toContain(
      `  llama-server died 20 times within ${formatDuration(19_000)} (signal 20)`,
    )
    expect(renderStory(long, NO_PAINT, NOW_MS, true)).toHaveLength(lines.length + 8)
  })

  it('says that all is well', () => {
    const lines = renderStory(why('ready', [begin, to(5, 'ready')]), NO_PAINT, NOW_MS, false)
    expect(lines.slice(1)).toEqual(['', 'All is well', '  The journal knows of no stop'])
  })
})

describe('why, when memory is short', () => {
  const short = ev(100, 'memory', 'Memory is tight: 3.0 GiB available', {
    facts: { level: 'tight', from: 'ok' },
  })
  const limited = ev(101, 'memory', 'One request at a time', {
    facts: { action: 'limit-requests' },
  })
  const halved = ev(140, 'memory', 'The context is halved', {
    facts: { action: 'smaller-context' },
  })
  const unloaded = ev(150, 'memory', 'The engine is unloaded', { facts: { action: 'unload' } })
  const earlier = [begin, to(1, 'starting'), to(5, 'ready'), died(50), to(60, 'ready')]
  const reason = '3.0 GiB available, 4.0 GiB reserved'

  function shortOf(change: StatusChange, events: readonly JournalEvent[]): Story {
    const memory = { level: 'tight', reason, next: 'restart the engine', ...change.memory } as const
    return tellWhy(makeStatus({ ...change, memory }), [...earlier, ...events], NOW_MS)
  }

  it('tells of an engine that is restrained from the beginning of the want on, and what comes next', () => {
    const story = shortOf({ memory: { step: 'smaller-context' } }, [
      short,
      limited,
      halved,
      ended(141),
      to(142, 'starting'),
      to(150, 'ready'),
    ])
    expect(story.mood).toBe('reduced')
    expect(story.story.map(({ message }) => message)).toEqual([
      'Memory is tight: 3.0 GiB available',
      'One request at a time',
      'The context is halved',
      'It was asked to stop',
      'now ready',
    ])
    expect(story.sums).toEqual([`Memory is short: ${reason}`, 'Next: restart the engine'])
    const lines = renderStory(story, NO_PAINT, NOW_MS, false)
    expect(lines).toContain('It answers, and makes do with less for the sake of the machine')
  })

  it('of one that sleeps for want of memory says what can be done', () => {
    const hint = 'Close other apps'
    const story = shortOf(
      { engine: { state: 'asleep', hint }, memory: { level: 'critical', step: 'unload' } },
      [short, limited, unloaded, ended(151), to(152, 'asleep')],
    )
    expect(story).toMatchObject({ mood: 'trouble', hint })
    expect(story.story.map(({ message }) => message)).toContain('The engine is unloaded')
  })

  it('of one that is calm again but has not all back says so', () => {
    const story = shortOf(
      { memory: { level: 'ok', reason: null, next: null, step: 'one-at-a-time' } },
      [short, limited],
    )
    expect(story).toMatchObject({ mood: 'reduced', sums: ['Memory is at ease again'] })
  })

  it('of one that sleeps because nobody asked is well', () => {
    const status = makeStatus({ engine: { state: 'asleep', hint: null } })
    const idle = ev(70, 'memory', 'Nobody has asked anything for 30 min')
    const story = tellWhy(status, [...earlier, idle, ended(71), to(72, 'asleep')], NOW_MS)
    expect(story).toMatchObject({ mood: 'well', sums: [] })
    expect(story.story.map(({ message }) => message)).toContain(idle.message)
  })
})
