import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { memoryPredicate, parseDarwinLog } from '../../../src/host/darwin-log.ts'
import * as captures from './captures.ts'

/** Apple's source has the words; this line was recorded on macOS 10.14 (github.com/mongodb/grip and others test with it). */
const largestKilled =
  '2018-10-03 21:55:21.478932+0000 0x16b Default 0x0 0 kernel: low swap: killing largest compressed process with pid 29670 (mongod) and size 1 MB'

function ndjson(eventMessage: string, timestamp = '2026-06-09 16:03:20.238403+0100'): string {
  return JSON.stringify({ timestamp, eventMessage, processImagePath: '/kernel', processID: 0 })
}

describe('the signs in the log of macOS', () => {
  it('are the kill of the process that held most of the compressor', () => {
    expect(parseDarwinLog(largestKilled)).toEqual([
      {
        kind: 'killed',
        atMs: Date.UTC(2018, 9, 3, 21, 55, 21, 478),
        pid: 29_670,
        name: 'mongod',
        reason: 'low swap',
        heldBytes: 2 ** 20,
        line: 'low swap: killing largest compressed process with pid 29670 (mongod) and size 1 MB',
      },
    ])
  })

  it('are swap files that cannot be made', () => {
    const signs = parseDarwinLog(captures.lowSwapLog)
    expect(signs.map((sign) => sign.kind === 'shortage' && sign.what)).toEqual([
      'swap file not created',
      'swap file not created',
      'no paging space',
      'swap file not created',
    ])
    expect(signs[0]?.atMs).toBe(Date.UTC(2026, 6, 7, 2, 47, 11, 978))
  })

  it('are an exhausted compressor', () => {
    const output = captures.unhealthyFragments
      .trim()
      .split('\n')
      .map((message) => ndjson(message))
      .join('\n')
    expect(parseDarwinLog(output)).toEqual(
      ['compressor exhausted', 'no paging space', 'compressor exhausted'].map((what) => ({
        kind: 'shortage',
        atMs: Date.UTC(2026, 5, 9, 15, 3, 20, 238),
        what,
      })),
    )
    expect(parseDarwinLog(ndjson('{"compressor_exhausted": 0, "swap_low": 1}'))).toEqual([])
  })

  it('are kills by memorystatus', () => {
    const kills = parseDarwinLog(captures.memorystatusCompact)
    expect(kills).toMatchObject([
      { pid: 386, name: 'wallpaperexportd', reason: null, heldBytes: null, atMs: null },
      { pid: 901, name: 'node', reason: null },
      { pid: 915, name: 'swift-build', reason: 'per-process-limit' },
    ])
    expect(parseDarwinLog(captures.perProcessLimit)).toMatchObject([
      { pid: 994, name: 'KeyboardSpike', reason: 'per-process-limit', heldBytes: null },
      { pid: 994, name: 'KeyboardSpike', reason: 'per-process-limit', heldBytes: 78_850 * 1024 },
    ])
  })

  test.each([
    ['nothing', ''],
    ['what launchd says', captures.launchdNdjson],
    ['a header and no entry', 'Timestamp                       Thread     Type        Activity\n'],
    ['an entry without a message', '{"timestamp":"2026-06-09 16:03:20.238403+0100"}'],
    ['a message that is no text', '{"eventMessage":{"low swap":1}}'],
    ['an entry that is cut', ndjson('something else').slice(0, 60)],
  ])('are not %s', (_what, output) => {
    expect(parseDarwinLog(output)).toEqual([])
  })
})

it('asks the log for every text that it understands', () => {
  const asked = [...memoryPredicate.matchAll(/eventMessage CONTAINS "([^"]+)"/g)].map(
    ([, part]) => part,
  )
  expect(asked).toEqual(['memorystatus', 'low swap', 'no paging space', 'compressor_exhausted'])
})

it('never throws, and is not slow, whatever it is given', () => {
  const words = fc.constantFrom(
    'memorystatus: ',
    'killing_top_process pid 1 [',
    'low swap: killing largest compressed process with pid ',
    '(((((((',
    '[[[[[[[',
    ' exceeded mem limit',
    '1'.repeat(40),
    '{"eventMessage":',
    '\n',
    '\u0000',
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(words, fc.string()), { maxLength: 40 }), (parts) => {
      expect(() => parseDarwinLog(parts.join(''))).not.toThrow()
    }),
  )
  expect(parseDarwinLog(`memorystatus: ${'a [1] '.repeat(200_000)}`)).toEqual([])
})
