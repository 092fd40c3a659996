import { expect, test } from 'vitest'
import { NO_PAINT } from '../../../src/cli/paint.ts'
import { renderRequests } from '../../../src/cli/render-requests.ts'
import { makeRequests, makeRecord, makeView } from '../../helpers/requests.ts'

const nowMs = Date.parse('2026-01-01T00:01:00Z')
const wide = { paint: NO_PAINT, width: Infinity, nowMs }

test('what is open comes first, then what ended, under one head', () => {
  const answer = makeRequests({
    open: [makeView({ id: 'r2', phase: 'queued', queuedMs: 2400, ageMs: 2500 })],
    recent: [
      makeRecord({ id: 'r1', generatedTokens: 412, generatedPerSecond: 66.42, continuations: 1 }),
    ],
  })
  expect(renderRequests(answer, wide)).toEqual([
    '1 open: 1 queued',
    '7 ended since the daemon started: 1 failed, 3 sent again, 5000 tokens out',
    'ID  STATE    TIME  CLIENT      MODEL        REQUEST  OUT  OUT/S    IN   FIRST  QUEUED        AGAIN     ENDED',
    'r2  queued  2.5 s  open-webui  gpt-oss-20b  chat                                2.4 s',
    'r1  200     1.5 s  open-webui  gpt-oss-20b  chat     412   66.4  1800  640 ms          1 continued  30 s ago',
  ])
})

test.each([60, 80, 120, 30, 20])('nothing is wider than %d columns', (width) => {
  const answer = makeRequests({
    open: [makeView({ client: 'c'.repeat(64), alias: 'm'.repeat(80) })],
    recent: [makeRecord({ api: null, path: `/${'p'.repeat(119)}`, heldMs: 5, replays: 2 })],
  })
  const lines = renderRequests(answer, { ...wide, width })
  // ID, STATE and TIME always stay.
  const tooWide = lines.filter(
    (line) => line.length > Math.max(width, 'r1a2  answering  800 ms'.length),
  )
  expect(tooWide).toEqual([])
})

test('with nothing at all it says so', () => {
  const lines = renderRequests(makeRequests({ open: [], recent: [] }), wide)
  expect(lines[0]).toBe('None open')
  expect(lines).toHaveLength(2)
})

test.each([
  [{ status: 200, outcome: 'answered' }, '200'],
  [{ status: 400, outcome: 'answered' }, '400'],
  [{ status: 429, outcome: 'refused' }, '429 refused'],
  [{ status: 503, outcome: 'failed' }, '503 failed'],
  [{ status: 200, outcome: 'broken' }, '200 cut off'],
  [{ status: null, outcome: 'client-gone' }, 'app left'],
  [{ status: null, outcome: 'cancelled' }, 'cancelled'],
] as const)('%j is told as %j', (end, text) => {
  const [, , titles = '', line = ''] = renderRequests(
    makeRequests({ open: [], recent: [makeRecord(end)] }),
    wide,
  )
  expect(line.slice(titles.indexOf('STATE'), titles.indexOf('TIME')).trim()).toContain(text)
})

test('a client cannot steer the terminal by the texts it chooses', () => {
  const evil = '\u001B[2J'
  const answer = makeRequests({
    open: [makeView({ alias: evil, client: evil, api: null, path: evil })],
    recent: [],
  })
  expect(renderRequests(answer, wide).join('\n')).not.toContain('\u001B')
})

test('colours: what runs, what waits, what went wrong', () => {
  const dye = (name: string) => (): string => name
  const paint = {
    ...NO_PAINT,
    good: dye('good'),
    warn: dye('warn'),
    bad: dye('bad'),
    dim: dye('dim'),
    strong: dye('strong'),
  }
  const answer = makeRequests({
    open: [makeView({ phase: 'answering' }), makeView({ phase: 'held' })],
    recent: [makeRecord({ outcome: 'broken' }), makeRecord({ outcome: 'refused' }), makeRecord()],
  })
  const lines = renderRequests(answer, { ...wide, paint })
  expect(lines.slice(2)).toEqual(['dim', 'good', 'warn', 'bad', 'warn', 'dim'])
})
