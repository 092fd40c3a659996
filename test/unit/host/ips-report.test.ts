import fc from 'fast-check'
import { expect, it, test } from 'vitest'
import { parseStampMs } from '../../../src/host/evidence.ts'
import { parseIps } from '../../../src/host/ips-report.ts'
import { crashTrimmed, jetsamNoted, jetsamPasted, jetsamTrimmed } from './captures.ts'

it('reads who was killed from a list of processes, and takes nobody else for a victim', () => {
  expect(parseIps(jetsamTrimmed)).toEqual({
    kind: 'jetsam',
    atMs: Date.UTC(2026, 8, 29, 11, 43, 21),
    processes: [
      { pid: 398, name: 'corebrightnessd', reason: null, peakBytes: null },
      { pid: 73341, name: 'spotlightknowledged', reason: 'per-process-limit', peakBytes: null },
    ],
  })
})

it('tells a peak in bytes only when the size of a page is told', () => {
  const report = jetsamTrimmed.replace(
    '{\n  "product"',
    '{ "memoryStatus": {"pageSize": 16384},\n "product"',
  )
  expect(parseIps(report)).toMatchObject({
    processes: [{ peakBytes: 472 * 16_384 }, { peakBytes: null }],
  })
})

it('reads a crash', () => {
  expect(parseIps(crashTrimmed)).toEqual({
    kind: 'crash',
    atMs: Date.UTC(2026, 5, 11, 14, 2, 29),
    pid: 55_982,
    name: 'yz_crash',
    exception: ['EXC_BAD_ACCESS (SIGSEGV)', 'KERN_INVALID_ADDRESS at 0x0000000000000000'],
    terminationNamespace: 'SIGNAL',
    terminationIndicator: 'Segmentation fault: 11',
    frames: ['main (yz_crash)', 'start (dyld)'],
  })
})

/** The same keys in the opposite order, at every depth. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([name, inner]) => [name, reversed(inner)]),
  )
}

test.each([
  ['a list of kills', jetsamTrimmed],
  ['a crash', crashTrimmed],
])(
  '%s says the same with its keys in another order, on one line, and with a number as its type',
  (_what, text) => {
    const [header = '', ...body] = text.split('\n')
    const other = [JSON.parse(header), JSON.parse(body.join('\n'))]
      .map((document: unknown) => JSON.stringify(reversed(document)))
      .join('\n')
    expect(parseIps(other)).toEqual(parseIps(text))
    expect(parseIps(other.replace(/"bug_type":"(\d+)"/, '"bug_type":$1'))).toEqual(parseIps(text))
  },
)

it('names a frame without a symbol by its offset, and shows no more than six', () => {
  const frames = Array.from({ length: 9 }, (_, index) => ({ imageOffset: index, imageIndex: 0 }))
  const body = {
    pid: 7,
    threads: [{}, { triggered: true, frames: [...frames, {}] }],
    usedImages: [{ name: 'llama-server' }],
  }
  expect(parseIps(`{"bug_type":"309"}\n${JSON.stringify(body)}`)).toMatchObject({
    frames: [0, 1, 2, 3, 4, 5].map((offset) => `+${offset} (llama-server)`),
  })
  const bare = { pid: 7, faultingThread: 0, threads: [{ frames: [{}, null, 3] }] }
  expect(parseIps(`{"bug_type":"309"}\n${JSON.stringify(bare)}`)).toMatchObject({
    name: '',
    exception: [],
    frames: ['? (?)', '? (?)', '? (?)'],
  })
})

test.each([
  ['nothing', ''],
  ['a header alone', jetsamTrimmed.split('\n')[0] ?? ''],
  ['a body that is still being written', crashTrimmed.slice(0, -20)],
  ['a paste that is cut', jetsamPasted],
  ['a paste with notes', jetsamNoted],
  ['a panic', '{"bug_type":"210"}\n{"pid":1}'],
  ['a crash without a pid', '{"bug_type":"309"}\n{"procName":"llama-server"}'],
  ['lists', '[]\n[]'],
])('takes %s for no report', (_what, text) => {
  expect(parseIps(text)).toBeNull()
})

test.each([
  ['2026-09-29 17:13:21.00 +0530', Date.UTC(2026, 8, 29, 11, 43, 21)],
  ['2026-06-09 16:03:20.238403+0100', Date.UTC(2026, 5, 9, 15, 3, 20, 238)],
  ['2026-09-28T16:10:17+02:00', Date.UTC(2026, 8, 28, 14, 10, 17)],
  ['2026-09-28T16:10:17,5+0200', Date.UTC(2026, 8, 28, 14, 10, 17, 500)],
  ['2026-09-28T16:10:17Z', Date.UTC(2026, 8, 28, 16, 10, 17)],
  ['2026-09-28 16:10:17.591 Df kernel', null],
  ['2026-13-28T16:10:17Z', null],
  ['28. September 2026, 16:10:17', null],
  ['', null],
])('the time of %j', (text, atMs) => {
  expect(parseStampMs(text)).toBe(atMs)
})

it('never throws, whatever it is given', () => {
  const typed = fc.constantFrom('298', '309', '210')
  fc.assert(
    fc.property(typed, fc.jsonValue(), fc.string(), (bugType, body, noise) => {
      const text = `{"bug_type":"${bugType}"}\n${JSON.stringify(body)}`
      expect(() => [parseIps(noise), parseIps(text)]).not.toThrow()
    }),
  )
  // Real reports with any of their values replaced.
  const replaced = fc.tuple(
    fc.constantFrom(jetsamTrimmed, crashTrimmed),
    fc.nat(60),
    fc.jsonValue(),
  )
  fc.assert(
    fc.property(replaced, ([text, which, value]) => {
      let index = 0
      const [header = '', ...rest] = text.split('\n')
      const body: unknown = JSON.parse(rest.join('\n'), (_key, old: unknown) =>
        index++ === which ? value : old,
      )
      expect(() => parseIps(`${header}\n${JSON.stringify(body)}`)).not.toThrow()
    }),
  )
})

it('never throws on a report cut anywhere', () => {
  for (const text of [jetsamTrimmed, crashTrimmed]) {
    const last = text.trimEnd().length
    for (let end = 0; end < last; end += 1) expect(parseIps(text.slice(0, end))).toBeNull()
  }
})
