import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { NO_PAINT } from '../../../../src/cli/paint.ts'
import { BLOCKS, LETTERS } from '../../../../src/cli/status/bar.ts'
import { widthOf } from '../../../../src/cli/text-width.ts'
import { frame, type FrameLook } from '../../../../src/cli/top/frame.ts'
import { STEP_MS } from '../../../../src/cli/top/samples.ts'
import { initialTop, say, takeNews, type TopState } from '../../../../src/cli/top/top-state.ts'
import type { StatusChange } from '../../../helpers/status.ts'
import { event, logLine, makeNow, NOW_MS, openRequest, sample } from './scene.ts'

const look: FrameLook = { paint: NO_PAINT, glyphs: BLOCKS, nowMs: NOW_MS, monotonicMs: 1000 }
const GIB = 2 ** 30

function live(
  change: StatusChange = {},
  requests = [openRequest(), openRequest({ id: 'r2' })],
): TopState {
  const now = makeNow(change, requests)
  const past = [3, 2, 1].map((steps) =>
    sample(NOW_MS - steps * STEP_MS, 7 * steps * GIB, 10 * steps),
  )
  const state = {
    ...initialTop,
    samples: past,
    events: [event('The daemon started'), event('Ready')],
  }
  return takeNews(state, { kind: 'now', now }, 1000)
}

const log = [
  logLine(
    'slot print_timing: id  0 | task 52 | prompt processing, n_tokens = 1000, progress = 0.25, t = 4',
  ),
  logLine(
    'slot print_timing: id  0 | task 51 | prompt processing, n_tokens = 1000, progress = 0.75, t = 4',
  ),
  logLine('main: model loaded'),
  logLine('srv  update_slots: all slots are idle'),
]

test('80 columns, 24 rows', () => {
  expect(frame({ ...live(), chosen: 'r2' }, log, { columns: 80, rows: 24 }, look)).toEqual([
    'ready for 3 min 12 s: answering                                         12:00:00',
    'gpt-oss-20b, http://127.0.0.1:8020, GPU 87 % busy, 11.8 GiB of 21.3 GiB',
    '1 in flight, 2 held; today 152 answered, 1 failed, 48210 tokens; 0 restarts',
    'memory ok: 12.0 GiB of 28.0 GiB (43 %)            █████████████▒░░░░░░░░░░░░░░░░',
    '                                                                            ▄   ',
    '                                                                            ██▄▇',
    'speed 40.0 tokens/s, most in 13 min: 40.0, reads 380',
    '                                                                            ▄  █',
    '                                                                            ██▄█',
    'slot 0 ███░░░░░░░░░ reads the prompt, 25 %',
    'requests: 2 open: 2 answering ──────────────────────────────────────────────────',
    '  ID  STATE      TIME  CLIENT     MODEL        REQUEST   FIRST',
    '  r1  answering   1 s  OpenAI/JS  gpt-oss-20b  chat     120 ms',
    '> r2  answering   1 s  OpenAI/JS  gpt-oss-20b  chat     120 ms',
    'events ─────────────────────────────────────────────────────────────────────────',
    '12:00:00 The daemon started',
    '12:00:00 Ready',
    'engine log ─────────────────────────────────────────────────────────────────────',
    '12:00:00 slot print_timing: id  0 | task 52 | prompt processing, n_tokens = 100…',
    '12:00:00 slot print_timing: id  0 | task 51 | prompt processing, n_tokens = 100…',
    '12:00:00 main: model loaded',
    '12:00:00 srv  update_slots: all slots are idle',
    '',
    'q quit  r restart  u unload  c cancel  ↑↓ choose',
  ])
})

test('40 columns, 20 rows, in letters alone', () => {
  const shown = frame(live(), log, { columns: 40, rows: 20 }, { ...look, glyphs: LETTERS })
  expect(shown).toEqual([
    'ready for 3 min 12 s: answering 12:00:00',
    'gpt-oss-20b, http://127.0.0.1:8020, GPU…',
    '1 in flight, 2 held; today 152 answered…',
    'memory ok: 12.0 GiB of 28.0 GiB (43 %)',
    '                                    *=:-',
    'speed 40.0 tokens/s, most in 7 min: 40.…',
    '                                    *=:#',
    'slot 0 ###......... reads the prompt, 2…',
    'requests: 2 open: 2 answering ----------',
    '  ID  STATE      TIME  CLIENT',
    '  r1  answering   1 s  OpenAI/JS',
    '  r2  answering   1 s  OpenAI/JS',
    'events ---------------------------------',
    '12:00:00 The daemon started',
    '12:00:00 Ready',
    'engine log -----------------------------',
    '12:00:00 slot print_timing: id  0 | tas…',
    '12:00:00 main: model loaded',
    '12:00:00 srv  update_slots: all slots a…',
    'q quit r restart u unload c cancel ↑↓ c…',
  ])
})

test('on a wide terminal both plots stand beside each other', () => {
  const shown = frame(live(), log, { columns: 120, rows: 40 }, look)
  expect(shown[3]).toMatch(/^memory ok: .*░  speed 40\.0 tokens\/s/)
  expect(shown).toHaveLength(40)
})

test('an engine that writes tells how much, and how full its context is', () => {
  const now = makeNow()
  const slots = now.slots?.map((slot) => ({ ...slot, generatedTokens: 200, heldTokens: 8192 }))
  const state = takeNews(initialTop, { kind: 'now', now: { ...now, slots: slots ?? null } }, 1000)
  expect(frame(state, [], { columns: 80, rows: 24 }, look).join('\n')).toContain(
    'slot 0 ███░░░░░░░░░ has written 200 tokens, context 25 % full',
  )
})

test('an engine that does not tell how much it is to read tells what it has read', () => {
  expect(frame(live(), [], { columns: 80, rows: 24 }, look).join('\n')).toContain(
    'slot 0 reads the prompt, 1000 tokens so far',
  )
})

test('letters of others that would steer the terminal, or turn the line, are shown as what they are', () => {
  const hostile = 'a\u001B]0;title\u0007\u001B[2J\u009B31m\u202Eb\r\nc 日本語🙂'
  const state = takeNews(
    live({ model: { name: hostile }, engine: { detail: hostile } }, [
      openRequest({ client: hostile, alias: hostile }),
    ]),
    { kind: 'event', event: event(hostile) },
    1000,
  )
  const shown = frame(state, [logLine(hostile), hostile], { columns: 200, rows: 40 }, look)
  // oxlint-disable-next-line no-control-regex -- these are what must not be there
  expect(shown.join('')).not.toMatch(/[\u0000-\u001F\u007F-\u009F\u202E]/)
  expect(shown.filter((line) => line.includes('日本語🙂')).length).toBeGreaterThanOrEqual(4)
})

describe('when it is no longer how it is shown', () => {
  test('a lost connection says why and for how long', () => {
    const lost = takeNews(live(), { kind: 'lost', why: 'the daemon is not running' }, 2000)
    const shown = frame(lost, log, { columns: 80, rows: 24 }, { ...look, monotonicMs: 6000 })
    expect(shown[3]).toBe('No connection for 5 s: the daemon is not running; waiting for it')
    expect(shown[0]).toContain('ready for')
  })

  test('a daemon that stands still is told', () => {
    const shown = frame(live(), log, { columns: 80, rows: 24 }, { ...look, monotonicMs: 21_000 })
    expect(shown[3]).toBe('No news for 20 s: the daemon stands still or is busy')
  })

  test('before the first news', () => {
    const size = { columns: 80, rows: 3 }
    expect(frame(initialTop, [], size, look)[0]).toBe('Waiting for the first news')
    const lost = takeNews(initialTop, { kind: 'lost', why: 'gone' }, 0)
    expect(frame(lost, [], size, look)[0]).toBe('No connection: gone; waiting for it')
  })
})

test('the last line asks, tells what was done, then shows the keys again', () => {
  const size = { columns: 80, rows: 24 }
  const asks = { ...live(), asks: 'restart' } as const
  expect(frame(asks, log, size, look).at(-1)).toBe(
    'Restart the engine? Apps that ask are held. y/n',
  )
  const said = say(live(), 'Cancelled r1', false, 1000)
  expect(frame(said, log, size, look).at(-1)).toBe('Cancelled r1')
  expect(frame(said, log, size, { ...look, monotonicMs: 7000 }).at(-1)).toContain('q quit')
})

test('what to do and what comes next are told', () => {
  const state = live({ engine: { state: 'failed', hint: 'Restart the Mac' } })
  expect(frame(state, log, { columns: 80, rows: 24 }, look)[3]).toBe('next: Restart the Mac')
})

test('a screen is never larger than the terminal', () => {
  const name = '日本語🙂モデル'.repeat(9)
  const state = live({ model: { name } }, [openRequest({ client: name, alias: name })])
  const long = [...log, logLine(name)]
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 140 }),
      fc.integer({ min: 1, max: 60 }),
      (columns, rows) => {
        const shown = frame(state, long, { columns, rows }, look)
        expect(shown).toHaveLength(rows)
        // A table cannot be narrower than its first columns: the terminal cuts the rest.
        expect(Math.max(...shown.map((line) => widthOf(line)))).toBeLessThanOrEqual(
          Math.max(columns, 30),
        )
      },
    ),
    { numRuns: 60 },
  )
})
