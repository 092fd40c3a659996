import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import {
  advanceHeadroom,
  type HeadroomState,
  initialHeadroom,
  mayLoad,
} from '../../../src/memory/headroom-policy.ts'
import type { HeadroomAction, HeadroomEngine } from '../../../src/memory/headroom.ts'
import type { MemoryReading } from '../../../src/memory/memory-reading.ts'
import { headroomSettings as settings } from '../../helpers/headroom.ts'
import { GIB, MIB, reading } from '../../helpers/memory-reading.ts'

const STEP_MS = 2000

const engine: HeadroomEngine = {
  state: 'ready',
  idle: true,
  plannedBytes: 13 * GIB,
  contextHalvings: 0,
  maxContextHalvings: 2,
}

interface Moment {
  readonly known: Partial<MemoryReading>
  readonly idle: boolean
}

interface Acted {
  readonly atMs: number
  readonly action: HeadroomAction
  readonly state: HeadroomState
  readonly idle: boolean
  readonly was: HeadroomEngine['state']
}

/** Lives through moments 2 s apart with an engine that obeys at once. */
function live(moments: readonly Moment[], start: Partial<HeadroomEngine> = {}) {
  let state = initialHeadroom
  let now: HeadroomEngine = { ...engine, ...start }
  const acted: Acted[] = []
  for (const [index, { known, idle }] of moments.entries()) {
    const atMs = index * STEP_MS
    const footprint = now.state === 'ready' ? {} : { footprintBytes: null }
    now = { ...now, idle }
    const input = { reading: reading({ ...known, ...footprint, atMs }), engine: now }
    const next = advanceHeadroom(state, input, settings)
    ;({ state } = next)
    if (next.action !== null) {
      acted.push({ atMs, action: next.action, state, idle, was: now.state })
      now = obey(now, next.action)
    }
  }
  return { acted, kinds: acted.map(({ action }) => action.kind), state, engine: now }
}

function obey(now: HeadroomEngine, action: HeadroomAction): HeadroomEngine {
  switch (action.kind) {
    case 'unload':
      return { ...now, state: 'asleep' }
    case 'load':
      return { ...now, state: 'ready' }
    case 'smaller-context':
    case 'larger-context':
      return { ...now, contextHalvings: action.contextHalvings }
    case 'recycle':
    case 'limit-requests':
    case 'lift-limit':
      return now
  }
}

function during(seconds: number, known: Partial<MemoryReading>, idle = true): readonly Moment[] {
  return Array.from({ length: Math.ceil((seconds * 1000) / STEP_MS) }, () => ({ known, idle }))
}

const calm = { totalBytes: 32 * GIB, availableBytes: 20 * GIB, footprintBytes: 13 * GIB }
const tight = { ...calm, availableBytes: 2 * GIB }
const critical = { ...calm, availableBytes: 0.5 * GIB }

describe('the ladder', () => {
  it('goes down step by step while memory is short, then climbs back', () => {
    const { kinds, state } = live([...during(120, tight), ...during(900, calm)])
    expect(kinds).toEqual([
      'limit-requests',
      'smaller-context',
      'smaller-context',
      'larger-context',
      'larger-context',
      'lift-limit',
    ])
    expect(state).toMatchObject({ step: 'normal', halvings: 0, level: 'ok' })
  })

  it('restarts the engine only when it is idle', () => {
    expect(live(during(600, tight, false)).kinds).toEqual(['limit-requests'])
    const { acted } = live([...during(100, tight, false), ...during(4, tight)])
    expect(acted.at(-1)).toMatchObject({ action: { kind: 'smaller-context' }, idle: true })
  })

  it('recycles first when the engine has grown, by itself or over its plan', () => {
    const grown = live([
      ...during(10, { ...calm, footprintBytes: 11 * GIB }),
      ...during(60, { ...tight, footprintBytes: 12.5 * GIB }),
    ])
    expect(grown.kinds).toEqual(['limit-requests', 'recycle'])
  })

  it('takes what an engine had from its beginning for no leak', () => {
    expect(live(during(900, { ...calm, footprintBytes: 16 * GIB })).kinds).toEqual([])
  })

  it('recycles for a leak each time that it comes back', () => {
    const leak = Array.from({ length: 1800 }, (_, index) => ({
      known: { ...calm, footprintBytes: 13 * GIB + (index % 200) * 20 * MIB },
      idle: true,
    }))
    const { kinds } = live(leak)
    expect(kinds.filter((kind) => kind === 'recycle').length).toBeGreaterThan(1)
    expect(new Set(kinds)).toEqual(new Set(['limit-requests', 'recycle', 'lift-limit']))
  })

  it('unloads a busy engine when memory is gone, and at once after it was only held back', () => {
    const { acted } = live([...during(14, tight, false), ...during(10, critical, false)])
    expect(acted.map(({ action, atMs }) => [action.kind, atMs])).toEqual([
      ['limit-requests', 10_000],
      ['unload', 18_000],
    ])
    expect(acted[1]?.action.message).toBe(
      'The engine is unloaded: 512.0 MiB available, 4.0 GiB reserved for 4 s',
    )
    expect(acted[1]?.action.facts).toMatchObject({
      level: 'critical',
      availableBytes: 0.5 * GIB,
      plannedBytes: 13 * GIB,
    })
  })

  it('restarts a leaking engine before it unloads it', () => {
    const leaking = { ...critical, footprintBytes: 20 * GIB }
    const { kinds } = live([...during(2, calm, false), ...during(60, leaking, false)])
    expect(kinds).toEqual(['recycle', 'unload'])
  })

  it('leaves an engine alone that takes next to nothing', () => {
    const small = { footprintBytes: 60 * MIB }
    const { kinds } = live(
      [...during(120, { ...tight, ...small }), ...during(120, { ...critical, ...small })],
      { plannedBytes: 60 * MIB },
    )
    expect(kinds).toEqual(['limit-requests'])
  })

  it('loads again when there is room, not merely when it is calm', () => {
    const full = { ...calm, availableBytes: 6 * GIB }
    const waiting = live([...during(10, critical), ...during(900, full)])
    expect(waiting.kinds).toEqual(['unload'])
    expect(mayLoad(waiting.state)).toEqual({
      kind: 'no',
      why: '6.0 GiB available, 13.0 GiB needed, 1.3 GiB to be left free',
    })
    const back = live([...during(10, critical), ...during(900, full), ...during(300, calm)])
    expect(back.kinds).toEqual(['unload', 'load', 'lift-limit'])
    expect(mayLoad(back.state)).toEqual({ kind: 'yes' })
  })

  it('comes back under a pressure level that stays at warning only with room beyond the reserve', () => {
    const stuck = { ...calm, pressure: 'warning' } as const
    const enough = [...during(10, critical), ...during(600, { ...stuck, availableBytes: 18 * GIB })]
    const tooLittle = [
      ...during(10, critical),
      ...during(600, { ...stuck, availableBytes: 16 * GIB }),
    ]
    expect(live(enough).kinds).toEqual(['unload', 'load'])
    expect(live(tooLittle).kinds).toEqual(['unload'])
  })

  it('never goes beyond one request at a time for a pressure level that stays at warning', () => {
    const { kinds } = live(during(7200, { pressure: 'warning', footprintBytes: 13 * GIB }))
    expect(kinds).toEqual(['limit-requests'])
  })

  it('goes on from what somebody else did to the engine', () => {
    const full = { ...calm, availableBytes: 6 * GIB }
    const unloaded = live([...during(10, critical), ...during(190, full)]).state
    const look = (more: Partial<HeadroomEngine>) =>
      advanceHeadroom(
        unloaded,
        { reading: reading({ ...full, atMs: 200_000 }), engine: { ...engine, ...more } },
        settings,
      ).state.step
    expect(look({ state: 'ready' })).toBe('normal')
    expect(look({ state: 'off' })).toBe('normal')
    expect(look({ state: 'asleep' })).toBe('unload')
    const halved = live(during(60, tight))
    const cleared = advanceHeadroom(
      halved.state,
      { reading: reading({ ...tight, atMs: 100_000 }), engine },
      settings,
    )
    expect(halved.state).toMatchObject({ step: 'smaller-context', halvings: 1 })
    expect(cleared.action).toMatchObject({ kind: 'smaller-context', contextHalvings: 1 })
  })

  it('lets nothing load while memory is gone', () => {
    const { state, kinds } = live(during(10, critical), { state: 'asleep' })
    expect(kinds).toEqual(['limit-requests'])
    expect(mayLoad(state)).toEqual({
      kind: 'no',
      why: '512.0 MiB available, 4.0 GiB reserved for 8 s',
    })
  })
})

const anyReading = fc.record({
  totalBytes: fc.constantFrom(null, 32 * GIB),
  availableBytes: fc.constantFrom(null, 0, 0.9 * GIB, 3 * GIB, 6 * GIB, 20 * GIB),
  pressure: fc.constantFrom(null, 'normal', 'warning', 'critical'),
  stalledPercent: fc.constantFrom(null, 0, 15, 60),
  swapOutBytesPerSecond: fc.constantFrom(null, 0, 20 * MIB, 100 * MIB),
  compressorSegmentsShare: fc.constantFrom(null, 0.1, 0.65, 0.9),
  freeDiskBytes: fc.constantFrom(null, GIB, 10 * GIB, 100 * GIB),
  footprintBytes: fc.constantFrom(null, 12 * GIB, 13 * GIB, 15 * GIB),
  gpuUsedBytes: fc.constantFrom(null, 13 * GIB, 25 * GIB),
  gpuLimitBytes: fc.constantFrom(null, 25 * GIB),
})

const anyMoments = fc
  .array(
    fc.record({
      known: anyReading,
      idle: fc.boolean(),
      seconds: fc.constantFrom(2, 6, 14, 40, 130),
    }),
    { minLength: 1, maxLength: 8 },
  )
  .map((parts) => parts.flatMap(({ known, idle, seconds }) => [...during(seconds, known, idle)]))

const RESTARTS = new Set(['recycle', 'smaller-context', 'larger-context', 'unload', 'load'])
const UPWARD = new Set(['lift-limit', 'larger-context', 'load'])

/** Times between each two successive ones. */
function gaps(acted: readonly Acted[]): readonly number[] {
  return acted.slice(1).map(({ atMs }, index) => atMs - (acted[index]?.atMs ?? 0))
}

describe('whatever happens', () => {
  it('at most one restart, load or unload comes in each dwell, and one change of the gate', () => {
    fc.assert(
      fc.property(anyMoments, (moments) => {
        const { acted } = live(moments)
        const restarts = acted.filter(({ action }) => RESTARTS.has(action.kind))
        const gate = acted.filter(({ action }) => !RESTARTS.has(action.kind))
        const least = Math.min(Infinity, ...gaps(restarts), ...gaps(gate))
        expect(least).toBeGreaterThanOrEqual(settings.stepEveryMs)
      }),
      { numRuns: 50 },
    )
  })

  it('a step up comes no sooner than the calm after the step before', () => {
    fc.assert(
      fc.property(anyMoments, (moments) => {
        const { acted } = live(moments)
        const early = acted.filter(
          ({ action, atMs }, index) =>
            index > 0 &&
            UPWARD.has(action.kind) &&
            atMs - (acted[index - 1]?.atMs ?? 0) < settings.calmAfterMs,
        )
        expect(early).toEqual([])
      }),
      { numRuns: 50 },
    )
  })

  it('an engine with requests is ended only when memory is gone', () => {
    fc.assert(
      fc.property(anyMoments, (moments) => {
        const cut = live(moments).acted.filter(
          ({ action, idle, was, state }) =>
            RESTARTS.has(action.kind) && !idle && was === 'ready' && state.level !== 'critical',
        )
        expect(cut).toEqual([])
      }),
      { numRuns: 50 },
    )
  })

  it('nothing is done without a sign, and every step down says its reason', () => {
    fc.assert(
      fc.property(anyMoments, (moments) => {
        const down = live(moments).acted.filter(({ action }) => !UPWARD.has(action.kind))
        expect(down.filter(({ state }) => state.signs.length === 0)).toEqual([])
        expect(down.filter(({ action }) => !/\d|pressure/.test(action.message))).toEqual([])
      }),
      { numRuns: 50 },
    )
  })

  it('all comes back after calm', () => {
    fc.assert(
      fc.property(anyMoments, (moments) => {
        const { state, engine: last } = live([...moments, ...during(1200, calm)])
        expect(state).toMatchObject({ step: 'normal', level: 'ok', halvings: 0 })
        expect(last).toMatchObject({ state: 'ready', contextHalvings: 0 })
      }),
      { numRuns: 40 },
    )
  })
})

test('of nothing known comes nothing', () => {
  expect(live(during(3600, {}), { plannedBytes: null })).toMatchObject({ kinds: [] })
})
