import { describe, expect, test } from 'vitest'
import { NO_PAINT } from '../../../../src/cli/paint.ts'
import { BLOCKS, type Glyphs, LETTERS } from '../../../../src/cli/status/bar.ts'
import { renderStatus, textsOf } from '../../../../src/cli/status/render-status.ts'
import { widthFor } from '../../../../src/cli/status/width.ts'
import { widthOf } from '../../../../src/cli/text-width.ts'
import { makeStatus, type StatusChange } from '../../../helpers/status.ts'

const NOW_MS = Date.parse('2026-01-01T00:10:00.000Z')
const midnight = new Date(2026, 0, 1).toISOString()

interface Look {
  readonly width?: number
  readonly glyphs?: Glyphs | null
  readonly service?: string | null
}

async function screen(change: StatusChange = {}, look: Look = {}): Promise<readonly string[]> {
  const status = makeStatus({
    ...change,
    proxy: { today: { ...makeStatus().proxy.today, since: midnight }, ...change.proxy },
  })
  return renderStatus(status, {
    paint: NO_PAINT,
    width: Infinity,
    glyphs: null,
    service: null,
    nowMs: NOW_MS,
    text: await widthFor(textsOf(status)),
    ...look,
  })
}

const text = async (change: StatusChange = {}, look: Look = {}): Promise<string> =>
  (await screen(change, look)).join('\n')

describe('a daemon that is well', () => {
  test('in a pipe: no bar, and no line is broken', async () => {
    expect(await screen()).toEqual([
      'ready for 3 min 12 s: answering',
      '  model      gpt-oss-20b (32768 tokens of context, 1 slot)',
      '  memory     ok: 12.0 GiB of 28.0 GiB (43 %)',
      '             planned 13.0 GiB: weights 11.5 GiB, context 512.0 MiB, work 768.0 MiB, prompt cache up to 256.0 MiB',
      '             9.0 GiB available on this machine',
      '  GPU        87 % busy, 11.8 GiB of 21.3 GiB',
      '  speed      generates 41.3 tokens/s, reads prompts 380.0 tokens/s',
      '  requests   1 in flight, 2 held; today 152 answered, 1 failed, 48210 tokens',
      '  rescued    3 sent again, 0 continued',
      '  restarts   0, no exit yet',
      '  port       http://127.0.0.1:8020',
      '  engine     llama-server b1, pid 200',
      '  daemon     oss20bd 0.1.0, pid 100, up 2 h 5 min',
      '  logs       /home/a/logs',
    ])
  })

  test('on a terminal of 80 columns: a bar, and lines that fit', async () => {
    expect(await screen({}, { width: 80, glyphs: BLOCKS, service: 'launchd' })).toEqual([
      'ready for 3 min 12 s: answering',
      '  model      gpt-oss-20b (32768 tokens of context, 1 slot)',
      '  memory     ok: 12.0 GiB of 28.0 GiB (43 %)',
      '             █████████████████▒▒░░░░░░░░░░░░░░░░░░░░░',
      '             planned 13.0 GiB: weights 11.5 GiB, context 512.0 MiB, work',
      '             768.0 MiB, prompt cache up to 256.0 MiB',
      '             9.0 GiB available on this machine',
      '  GPU        87 % busy, 11.8 GiB of 21.3 GiB',
      '  speed      generates 41.3 tokens/s, reads prompts 380.0 tokens/s',
      '  requests   1 in flight, 2 held; today 152 answered, 1 failed, 48210 tokens',
      '  rescued    3 sent again, 0 continued',
      '  restarts   0, no exit yet',
      '  port       http://127.0.0.1:8020',
      '  service    launchd',
      '  engine     llama-server b1, pid 200',
      '  daemon     oss20bd 0.1.0, pid 100, up 2 h 5 min',
      '  logs       /home/a/logs',
    ])
  })

  test('on 40 columns, in letters alone', async () => {
    expect(await screen({}, { width: 40, glyphs: LETTERS })).toEqual([
      'ready for 3 min 12 s: answering',
      'model    gpt-oss-20b (32768 tokens of',
      '         context, 1 slot)',
      'memory   ok: 12.0 GiB of 28.0 GiB (43 %)',
      '         #############=.................',
      '         planned 13.0 GiB: weights',
      '         11.5 GiB, context 512.0 MiB,',
      '         work 768.0 MiB, prompt cache up',
      '         to 256.0 MiB',
      '         9.0 GiB available on this',
      '         machine',
      'GPU      87 % busy, 11.8 GiB of 21.3 GiB',
      'speed    generates 41.3 tokens/s, reads',
      '         prompts 380.0 tokens/s',
      'requests 1 in flight, 2 held; today 152',
      '         answered, 1 failed,',
      '         48210 tokens',
      'rescued  3 sent again, 0 continued',
      'restarts 0, no exit yet',
      'port     http://127.0.0.1:8020',
      'engine   llama-server b1, pid 200',
      'daemon   oss20bd 0.1.0, pid 100, up 2 h',
      '         5 min',
      'logs     /home/a/logs',
    ])
  })
})

test.each([20, 40, 60, 80, 200])('nothing is wider than %i columns', async (width) => {
  const name = '日本語🙂モデル/'.repeat(12)
  const lines = await screen({ model: { name } }, { width, glyphs: BLOCKS })
  expect(Math.max(...lines.map((line) => widthOf(line)))).toBeLessThanOrEqual(width)
  expect(lines.join('').replaceAll(' ', '')).toContain(name)
})

test('the test model is never passed off as gpt-oss-20b', async () => {
  expect(await text({ model: { testModel: true } })).toContain(
    'built-in test model: fixed words, NOT gpt-oss-20b',
  )
})

test('what others have written cannot steer the terminal', async () => {
  const queue = [{ id: 'r1', client: 'a\u001B[2J', position: 1, waitedMs: 1, expectedMs: null }]
  const shown = await text({ proxy: { queue }, engine: { detail: 'b\u009B2J' } })
  expect(shown).toContain('a\\x1b[2J')
  expect(shown).toContain('b\\x9b2J')
})

const exit = (at: string) =>
  ({ cause: 'gpu-error', message: 'the GPU stopped', hint: 'restart the Mac', at }) as const

function allNull(...names: string[]): Record<string, null> {
  return Object.fromEntries(names.map((name) => [name, null]))
}

test.each([
  [
    'memory',
    {
      memory: allNull('level', 'budgetBytes', 'plannedBytes', 'footprintBytes', 'availableBytes'),
    },
    'memory     unknown',
  ],
  [
    'what the engine takes',
    { memory: { footprintBytes: null, unknown: { footprintBytes: 'none runs' } } },
    'ok: what it takes of 28.0 GiB is unknown (none runs)',
  ],
  ['the budget', { memory: { budgetBytes: null } }, 'of a budget that is unknown'],
  ['the level', { memory: { level: null } }, 'level unknown: 12.0 GiB'],
  ['the parts', { memory: { plannedParts: null } }, 'planned 13.0 GiB\n'],
  ['what is left', { memory: { availableBytes: null } }, 'what is available is unknown'],
  [
    'the GPU',
    {
      gpu: allNull('usedBytes', 'limitBytes', 'utilisation'),
      memory: { unknown: { gpuUtilisation: 'no GPU here' } },
    },
    'GPU        unknown: no GPU here',
  ],
  ['the load of the GPU', { gpu: { utilisation: null } }, 'GPU        11.8 GiB of 21.3 GiB'],
  ['its limit', { gpu: { limitBytes: null } }, '87 % busy, 11.8 GiB in use'],
  [
    'speed',
    { throughput: allNull('generatedTokensPerSecond', 'promptTokensPerSecond') },
    'speed      not measured yet',
  ],
  ['one speed', { throughput: { promptTokensPerSecond: null } }, 'reads prompts unknown'],
  ['the engine version', { engine: { version: null } }, 'llama-server version unknown'],
  ['the time of the last exit', { engine: { lastExit: exit('never') } }, 'gpu-error, time unknown'],
] as [string, StatusChange, string][])(
  '%s that is not known says unknown',
  async (_what, change, expected) => {
    expect(await text(change)).toContain(expected)
  },
)

test.each([
  [
    'the last exit, how long ago and why',
    { engine: { restarts: 1, lastExit: exit('2026-01-01T00:00:00.000Z') } },
    'restarts   1, last exit gpu-error, 10 min ago: the GPU stopped',
  ],
  [
    'what to do',
    { engine: { state: 'failed', hint: 'restart the Mac' } },
    'do         restart the',
  ],
  [
    'from when the day is counted',
    {
      proxy: {
        today: { ...makeStatus().proxy.today, since: new Date(2026, 0, 1, 14, 2).toISOString() },
      },
    },
    '48210 tokens (since 14:02)',
  ],
  ['swap in use', { memory: { swapUsedBytes: 2 ** 30 } }, 'machine, 1.0 GiB of swap in use'],
  ['that nothing is open', { proxy: { inFlight: 0, held: 0 } }, 'requests   none open; today'],
  ['that it is not ready', { engine: { state: 'starting' } }, 'http://127.0.0.1:8020 (waiting)'],
  [
    'further ports',
    {
      proxy: {
        alsoListening: [
          { port: 1234, isOpen: true, trouble: null },
          { port: 8080, isOpen: false, trouble: 'in use' },
        ],
      },
    },
    'http://127.0.0.1:8020, 1234 too, 8080 not: in use',
  ],
] as [string, StatusChange, string][])('it tells %s', async (_what, change, expected) => {
  expect(await text(change)).toContain(expected)
})

test('what to do and what comes next stand above everything else', async () => {
  const lines = await screen({
    engine: { hint: 'Start it: oss20bd start' },
    memory: {
      level: 'tight',
      step: 'smaller-context',
      reason: '3.0 GiB available',
      next: 'the context is doubled again after 2 min of calm',
    },
  })
  expect(lines.slice(1, 4)).toEqual([
    '  do         Start it: oss20bd start',
    '  headroom   3.0 GiB available; one request at a time, with a smaller context',
    '  next       the context is doubled again after 2 min of calm',
  ])
})

test('who waits for a slot is told, and for how long yet', async () => {
  const next = { id: 'r1', client: 'OpenAI/JS', position: 1, waitedMs: 3000, expectedMs: 5000 }
  const queue = [next, { ...next, id: 'r2', position: 2 }]
  expect(await text({ proxy: { queue } })).toContain(
    'queue      next: OpenAI/JS, waits for 3 s, about 5 s to go, 1 more behind it',
  )
  expect(await text({ proxy: { queue: [{ ...next, expectedMs: null }] } })).toContain(
    'waits for 3 s, for how long yet is unknown',
  )
})

test('a machine at ease takes no line of its own', async () => {
  expect(await text()).not.toMatch(/^ {2}(headroom|next|do) /m)
})
