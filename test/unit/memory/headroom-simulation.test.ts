import { describe, expect, it, test } from 'vitest'
import { parseRecording } from '../../../scripts/simulate/machine.mjs'
import { renderPlot } from '../../../scripts/simulate/plot.mjs'
import { runRecording, runTrace } from '../../../scripts/simulate/run-trace.mjs'
import { renderTable } from '../../../scripts/simulate/table.mjs'
import { TRACES } from '../../../scripts/simulate/traces.mjs'
import { advanceHeadroom, initialHeadroom } from '../../../src/memory/headroom-policy.ts'
import { headroomSettings } from '../../helpers/headroom.ts'
import { GIB, MIB } from '../../helpers/memory-reading.ts'

const policy = { advance: advanceHeadroom, initial: initialHeadroom, settings: headroomSettings }

const STORIES: Readonly<Record<string, readonly string[]>> = {
  'second-app': ['limit-requests', 'unload', 'load', 'lift-limit'],
  leak: Array.from({ length: 5 }, () => ['limit-requests', 'recycle', 'lift-limit'])
    .flat()
    .slice(0, -1),
  'stuck-pressure': ['limit-requests', 'lift-limit'],
  'swap-storm': [
    'limit-requests',
    'smaller-context',
    'smaller-context',
    'unload',
    'load',
    'larger-context',
    'larger-context',
    'lift-limit',
  ],
  'disk-full': ['limit-requests', 'unload', 'load', 'lift-limit'],
}

function actionsOf(run: ReturnType<typeof runTrace>): readonly string[] {
  return run.events.filter(({ kind }) => kind === 'action').map(({ name }) => name)
}

describe.each(TRACES)('in "$title"', (trace) => {
  const run = runTrace(trace, policy)

  it('the ladder does what its story says', () => {
    expect(actionsOf(run)).toEqual(STORIES[trace.name])
  })

  it('every event has its numbers in the table and in the picture', () => {
    const table = renderTable(run)
    const picture = renderPlot(run)
    expect(table.split('\n')).toHaveLength(run.events.length + 2)
    expect(picture.match(/<circle/g)).toHaveLength(actionsOf(run).length)
    expect(picture).not.toMatch(/NaN|undefined|Infinity/)
  })
})

test('the model gives way within 40 s after a second app has taken what was free', () => {
  const run = runTrace(
    TRACES.find(({ name }) => name === 'second-app')!,
    policy,
  )
  const short = run.samples.find(({ reading }) => (reading.availableBytes ?? 0) < 4 * GIB)
  const unload = run.events.find(({ name }) => name === 'unload')
  expect(unload!.atMs - short!.reading.atMs).toBeLessThan(40_000)
  const swapped = Math.max(...run.samples.map(({ reading }) => reading.swapUsedBytes ?? 0))
  expect(swapped).toBeLessThan(3 * GIB)
})

describe('a recording', () => {
  const line = (index: number, more: object) =>
    JSON.stringify({ atMs: 5000 + index * 2000, footprintBytes: 13.5 * GIB, ...more })
  const text = Array.from({ length: 300 }, (_, index) =>
    line(index, {
      totalBytes: 32 * GIB,
      availableBytes: index < 10 ? 9 * GIB : 0.5 * GIB,
      swapOutBytesPerSecond: index < 10 || index > 40 ? 0 : 90 * MIB,
    }),
  ).join('\n')

  it('is replayed, with the memory of an unloaded engine given back', () => {
    const run = runRecording({ name: 'r', title: 'r', rows: parseRecording(text) }, policy)
    expect(actionsOf(run)).toEqual(['unload'])
    const after = run.samples.find(({ engine }) => engine.state === 'asleep')
    expect(after?.reading).toMatchObject({ availableBytes: 14 * GIB, footprintBytes: null })
    expect(renderPlot(run)).not.toMatch(/NaN|undefined|Infinity/)
  })

  test.each([
    ['', 'a recording needs two readings at least'],
    ['{"atMs":1}\n{', 'line 2 is not JSON'],
    ['{"atMs":1}\n[]', 'line 2 has no atMs'],
  ])('of %j is refused with the line', (broken, message) => {
    expect(() => parseRecording(broken)).toThrow(message)
  })
})
