import { expect, test } from 'vitest'
import { NO_PAINT } from '../../../src/cli/paint.ts'
import { renderStatus, waitingText } from '../../../src/cli/render.ts'
import type { EngineStateKind } from '../../../src/daemon/control-protocol.ts'
import { makeStatus, type StatusChange } from '../../helpers/status.ts'

const NOW_MS = Date.parse('2026-01-01T00:10:00.000Z')
const screen = (change: StatusChange = {}): string =>
  renderStatus(makeStatus(change), NO_PAINT, NOW_MS).join('\n')

test('a ready daemon is told on one screen', () => {
  expect(screen()).toBe(
    [
      'ready for 3 min 12 s: answering',
      '  model      gpt-oss-20b (32768 tokens of context, 1 slot)',
      '  port       http://127.0.0.1:8020',
      '  requests   1 in flight, 0 queued, 2 held, 3 replayed, 0 continued, 0 failed',
      '  speed      generates 41.3 tokens/s, reads prompts 380.0 tokens/s',
      '  memory     ok, engine uses 12.0 GiB, planned 13.0 GiB, budget 28.0 GiB, available 9.0 GiB',
      '  engine     llama-server b1, pid 200, 0 restarts',
      '  last exit  none',
      '  daemon     oss20bd 0.1.0, pid 100, up 2 h 5 min, logs in /home/a/logs',
    ].join('\n'),
  )
})

test('the test model is never passed off as gpt-oss-20b', () => {
  const text = screen({ model: { testModel: true } })
  expect(text).toContain('built-in test model: fixed words, NOT gpt-oss-20b')
})

test.each([
  [
    'memory',
    { memory: allNull('level', 'budgetBytes', 'plannedBytes', 'footprintBytes', 'availableBytes') },
    'memory     unknown',
  ],
  ['one reading of memory', { memory: { footprintBytes: null } }, 'engine uses unknown'],
  ['the memory level', { memory: { level: null } }, 'level unknown, engine uses'],
  [
    'speed',
    { throughput: allNull('generatedTokensPerSecond', 'promptTokensPerSecond') },
    'speed      unknown',
  ],
  ['one speed', { throughput: { promptTokensPerSecond: null } }, 'reads prompts unknown'],
  ['the engine version', { engine: { version: null } }, 'llama-server version unknown'],
  ['the time of the last exit', { engine: { lastExit: exit('never') } }, 'gpu-error, time unknown'],
] as [string, StatusChange, string][])(
  '%s that is not known says unknown',
  (_what, change, expected) => {
    expect(screen(change)).toContain(expected)
  },
)

test('the last exit says cause, how long ago and why', () => {
  const text = screen({ engine: { restarts: 1, lastExit: exit('2026-01-01T00:00:00.000Z') } })
  expect(text).toContain('last exit  gpu-error, 10 min ago: the GPU stopped')
  expect(text).toContain('1 restart\n')
})

test('an engine that gave up says what to do', () => {
  const text = screen({
    engine: {
      state: 'failed',
      detail: 'gave up',
      hint: 'restart the Mac',
      lastExit: exit('2026-01-01T00:00:00.000Z'),
    },
  })
  expect(text).toContain('do         restart the Mac')
})

test('an engine that is down says how to start it', () => {
  expect(screen({ engine: { state: 'down', hint: 'Start it: oss20bd start' } })).toContain(
    'do         Start it: oss20bd start',
  )
})

test.each([
  ['starting', 'loading the model, 40 %', 'loading the model, 40 %'],
  ['backoff', 'next try in 8 s', 'backoff: next try in 8 s'],
] as [EngineStateKind, string, string][])(
  'while %s the wait is named',
  (state, detail, expected) => {
    expect(waitingText(makeStatus({ engine: { state, detail } }))).toBe(expected)
  },
)

function allNull(...names: string[]): Record<string, null> {
  return Object.fromEntries(names.map((name) => [name, null]))
}

function exit(at: string) {
  return { cause: 'gpu-error', message: 'the GPU stopped', hint: 'restart the Mac', at } as const
}

test('who waits for a slot is told, and for how long yet', () => {
  const next = { id: 'r1', client: 'OpenAI/JS', position: 1, waitedMs: 3000, expectedMs: 5000 }
  const queue = [next, { ...next, id: 'r2', position: 2 }]
  expect(screen({ proxy: { queue } })).toContain(
    'queue      next: OpenAI/JS, waits for 3 s, about 5 s to go, 1 more behind it',
  )
  expect(screen({ proxy: { queue: [{ ...next, expectedMs: null }] } })).toContain(
    'waits for 3 s, for how long yet is unknown',
  )
})

test('a machine at ease takes no line of its own', () => {
  expect(screen({})).not.toMatch(/^ {2}(headroom|next) /m)
})

test('a machine short of memory says why, what is done and what comes next', () => {
  const text = screen({
    memory: {
      level: 'tight',
      step: 'smaller-context',
      reason: '3.0 GiB available, 4.0 GiB reserved for 10 s',
      next: 'the context is doubled again after 2 min of calm',
    },
  })
  expect(text).toContain(
    'headroom   3.0 GiB available, 4.0 GiB reserved for 10 s; one request at a time, with a smaller context',
  )
  expect(text).toContain('next       the context is doubled again after 2 min of calm')
})
