import { describe, expect, it } from 'vitest'
import type { EngineKind } from '../../../src/llama/memory-need.ts'
import { shapeOf } from '../../../src/llama/need/model-shape.ts'
import { budgetOf } from '../../../src/memory/budget.ts'
import {
  contextFor,
  needOf,
  planFor,
  type PlanFacts,
  type PlanOptions,
} from '../../../src/daemon/memory-plan.ts'
import { judge } from '../../../src/daemon/room-judge.ts'
import { GPT_OSS_20B, hollowHeader } from '../../helpers/hollow-model.ts'

const GIB = 2 ** 30
const model = shapeOf(hollowHeader({ ...GPT_OSS_20B, merges: 1 }))
const AS_ASKED = { safeMode: false, contextHalvings: 0 }
const options = {
  file: '/bin/llama-server',
  modelPath: '/models/m.gguf',
  alias: 'gpt-oss-20b',
  socketPath: '/run/engine.sock',
  slots: 1,
  cacheType: 'f16',
  cacheRamMiB: 1024,
  extraArgs: [],
  xdgConfigHome: '/config',
} as const
const auto: PlanOptions = { ...options, contextTokens: 'auto' }

/** A Mac, unless it has no GPU. */
function machine(memoryGib: number, gpuGib: number | null): PlanFacts {
  const engine: EngineKind = { backend: gpuGib === null ? 'cpu' : 'metal', age: 'current' }
  const limit = { source: 'engine', sharesMemory: true } as const
  const budget = budgetOf({
    memory: { totalBytes: memoryGib * GIB, source: 'physical' },
    reserveBytes: 4 * GIB,
    gpu: gpuGib === null ? null : { ...limit, limitBytes: gpuGib * GIB },
  })
  return { model, overlarge: null, engine, budget }
}

describe('the context that "auto" comes to', () => {
  it.each([
    ['32 GiB, which would hold the whole context', 32, 21.3, 65_536],
    ['24 GiB', 24, 16, 65_536],
    ['18.5 GiB, whose memory is short', 18.5, 16, 32_768],
    ['24 GiB, whose GPU is kept short', 24, 13, 16_384],
    ['16 GiB, where none fits', 16, 10.6, 8192],
    ['24 GiB without a GPU', 24, null, 65_536],
  ])('on a machine of %s', (_what, memoryGib, gpuGib, expected) => {
    expect(contextFor(machine(memoryGib, gpuGib), auto)).toBe(expected)
  })

  it('leaves a number as it is', () => {
    expect(contextFor(machine(16, 10), { ...options, contextTokens: 131_072 })).toBe(131_072)
  })

  it('is a careful one when the need of the model is not known', () => {
    const unknown: PlanFacts = {
      ...machine(64, 48),
      model: { kind: 'unknown', reason: 'another model' },
    }
    expect(contextFor(unknown, auto)).toBe(8192)
    expect(planFor(unknown, auto)).toEqual({ kind: 'unknown', reason: 'another model' })
  })
})

describe('planFor', () => {
  it('has a row for every context and type of cache, one of them chosen', () => {
    const plan = planFor(machine(24, 16), auto)
    expect(plan).toMatchObject({ kind: 'planned', nearest: null, overridden: false })
    if (plan.kind !== 'planned') throw new Error(plan.reason)
    const { rows, chosen } = plan
    expect(rows).toHaveLength(10)
    expect(rows.filter((row) => row.chosen)).toEqual([chosen])
    expect(chosen).toMatchObject({ contextTokens: 65_536, cacheType: 'f16', fit: { kind: 'fits' } })
  })

  it('has a row of its own for a context that was asked for', () => {
    const plan = planFor(machine(24, 16), { ...options, contextTokens: 50_000 })
    expect(plan).toMatchObject({ chosen: { contextTokens: 50_000 } })
    expect(plan.kind === 'planned' && plan.rows.map((row) => row.contextTokens)).toEqual(
      [8192, 16_384, 32_768, 50_000, 65_536, 131_072].flatMap((tokens) => [tokens, tokens]),
    )
  })

  it('names what fits in place of what does not: a shorter context, or more of it in a smaller cache', () => {
    const plan = planFor(machine(18, 13.5), { ...options, contextTokens: 131_072 })
    expect(plan).toMatchObject({
      chosen: { fit: { kind: 'short' } },
      nearest: [
        { contextTokens: 32_768, cacheType: 'f16' },
        { contextTokens: 65_536, cacheType: 'q8_0' },
      ],
    })
  })

  it('gives up the prompt cache before it says that nothing fits', () => {
    const plan = planFor(machine(16.5, 13.5), auto)
    expect(plan).toMatchObject({
      nearest: [{ cacheType: 'q8_0', promptCacheBytes: 0 }],
    })
    expect(planFor(machine(8, 5), auto)).toMatchObject({ nearest: [] })
  })

  it('tells when the arguments of the user win', () => {
    const extraArgs = ['--ctx-size', '4096']
    expect(planFor(machine(24, 16), { ...auto, extraArgs })).toMatchObject({ overridden: true })
  })

  it('counts the context once for each slot', () => {
    const one = needOf(machine(64, 48), { ...options, contextTokens: 32_768 })
    const four = needOf(machine(64, 48), { ...options, contextTokens: 32_768, slots: 4 })
    expect(one?.gpu.cacheBytes).toBe(786 * 2 ** 20)
    expect(four?.gpu.cacheBytes).toBe(4 * 786 * 2 ** 20)
  })
})

describe('judge', () => {
  const asked = { ...options, contextTokens: 65_536 }

  it('finds room where the budget and the machine have it', () => {
    const now = { availableBytes: 18 * GIB }
    expect(judge(machine(24, 16), asked, AS_ASKED, now).kind).toBe('room')
    expect(judge(machine(24, 16), asked, AS_ASKED, { availableBytes: null }).kind).toBe('room')
  })

  it('says in numbers what is missing of the memory, and what fits', () => {
    const verdict = judge(machine(18, 16), asked, AS_ASKED, { availableBytes: null })
    expect(verdict).toMatchObject({
      kind: 'short',
      haveBytes: 14 * GIB,
      message:
        'Cannot load the model: 14.8 GiB of memory are needed, 14.0 GiB may be used (18.0 GiB less 4.0 GiB for other apps)',
      hint: 'In the config, set model.contextTokens = 32768, or model.contextTokens = 65536 with model.cacheType = "q8_0". Run oss20bd plan to see all that fits',
    })
  })

  it('says what is missing on the GPU', () => {
    const verdict = judge(machine(32, 13), asked, AS_ASKED, { availableBytes: null })
    expect(verdict).toMatchObject({
      kind: 'short',
      haveBytes: 12 * GIB,
      message:
        'Cannot load the model: 13.0 GiB on the GPU are needed, 12.0 GiB may be used (the limit of 13.0 GiB less 1.0 GiB)',
    })
  })

  it('says when other apps have the memory, without what fills up only later', () => {
    const facts = machine(32, 22)
    const verdict = judge(facts, asked, AS_ASKED, { availableBytes: 10 * GIB })
    expect(verdict).toMatchObject({
      kind: 'short',
      haveBytes: 10 * GIB,
      nearest: [],
      message:
        'Cannot load the model: 13.2 GiB of memory are needed to start, 10.0 GiB are free now',
      hint: 'Close other apps: it starts by itself when there is room',
    })
    expect(judge(facts, asked, AS_ASKED, { availableBytes: 13.5 * GIB }).kind).toBe('room')
  })

  it('asks for less when less is to be started', () => {
    const now = { availableBytes: null }
    const halved = { safeMode: false, contextHalvings: 2 }
    expect(judge(machine(18, 16), asked, halved, now).kind).toBe('room')
    const safe = { safeMode: true, contextHalvings: 0 }
    expect(judge(machine(16.5, 16), asked, safe, now).kind).toBe('room')
  })

  it('refuses a model whose weights alone are too much, known or not, and says what gets a smaller one', () => {
    const overlarge = { message: 'too large', hint: 'get another', needBytes: 9, haveBytes: 4 }
    const other = { kind: 'unknown', reason: 'another' } as const
    const unknown: PlanFacts = { ...machine(4, 2), model: other, overlarge }
    const verdict = { kind: 'short', nearest: [], ...overlarge }
    expect(judge(unknown, asked, AS_ASKED, { availableBytes: null })).toEqual(verdict)
    const known: PlanFacts = { ...machine(64, 48), overlarge }
    expect(judge(known, asked, AS_ASKED, { availableBytes: null })).toEqual(verdict)
  })

  it('holds nothing against a model that is not known', () => {
    const facts: PlanFacts = { ...machine(4, 2), model: { kind: 'unknown', reason: 'another' } }
    expect(judge(facts, asked, AS_ASKED, { availableBytes: 1 })).toEqual({
      kind: 'unknown',
      reason: 'another',
    })
  })
})
