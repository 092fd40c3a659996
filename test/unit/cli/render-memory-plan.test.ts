import { describe, expect, it } from 'vitest'
import { NO_PAINT } from '../../../src/cli/paint.ts'
import { renderPlan, type ShownPlan } from '../../../src/cli/render-memory-plan.ts'
import { planFor, type PlanOptions } from '../../../src/daemon/memory-plan.ts'
import type { GpuFound } from '../../../src/daemon/plan-facts.ts'
import { shapeOf } from '../../../src/llama/need/model-shape.ts'
import { budgetOf } from '../../../src/memory/budget.ts'
import { GPT_OSS_20B, hollowHeader } from '../../helpers/hollow-model.ts'

const GIB = 2 ** 30
const model = shapeOf(hollowHeader({ ...GPT_OSS_20B, merges: 1 }))

function shown(
  memoryGib: number,
  gpuGib: number | null,
  change: Partial<PlanOptions> = {},
): ShownPlan {
  const options: PlanOptions = {
    file: '/bin/llama-server',
    modelPath: '/models/m.gguf',
    alias: 'gpt-oss-20b',
    socketPath: '/run/engine.sock',
    contextTokens: 'auto',
    slots: 1,
    cacheType: 'f16',
    cacheRamMiB: 1024,
    extraArgs: [],
    xdgConfigHome: '/config',
    ...change,
  }
  const limit = { source: 'engine', sharesMemory: true } as const
  const budget = budgetOf({
    memory: { totalBytes: memoryGib * GIB, source: 'physical' },
    reserveBytes: 4 * GIB,
    gpu: gpuGib === null ? null : { ...limit, limitBytes: gpuGib * GIB },
  })
  const engine = { backend: gpuGib === null ? 'cpu' : 'metal', age: 'current' } as const
  const plan = planFor({ model, overlarge: null, engine, budget }, options)
  if (plan.kind !== 'planned') throw new Error(plan.reason)
  const gpu: GpuFound = gpuGib === null ? { kind: 'none' } : { kind: 'found', name: 'Apple M4 Pro' }
  const { modelPath: modelFile, contextTokens, slots, extraArgs } = options
  return { modelFile, contextTokens, slots, extraArgs, engine, budget, gpu, plan }
}

const lines = (plan: ShownPlan, width = Infinity) => renderPlan(plan, NO_PAINT, width)

describe('renderPlan', () => {
  it('explains the budget, the table and the choice', () => {
    expect(lines(shown(24, 16))).toEqual([
      'model    /models/m.gguf',
      'memory   24.0 GiB in this machine, less 4.0 GiB for other apps (memory.reserve): 20.0 GiB may be used',
      'gpu      16.0 GiB (Apple M4 Pro, by llama-server --list-devices), less 1.0 GiB for the screen: 15.0 GiB may be used, out of the same memory',
      'slots    1, each with the whole context (model.slots)',
      '',
      '   CONTEXT  CACHE      NEED       GPU     HOST  FITS',
      expect.stringMatching(
        /^ {6}8192 {2}f16 {4}13\.\d GiB {2}11\.6 GiB {2}1\.7 GiB {2}yes, 3\.4 GiB left$/,
      ),
      ...Array.from({ length: 5 }, () => expect.any(String)),
      expect.stringMatching(/^\* {4}65536 {2}f16 .*yes, 2\.0 GiB left$/),
      ...Array.from({ length: 3 }, () => expect.any(String)),
      '',
      '* 65536 tokens, cache f16: the longest that fits, up to 65536 (model.contextTokens = "auto")',
      expect.stringMatching(
        /^ {2}model 11\.3 GiB, cache 1\.5 GiB, compute .*, prompt cache at most 1\.0 GiB, checkpoints at most 576\.0 MiB, program .*$/,
      ),
    ])
  })

  it('says what would fit when the chosen one does not', () => {
    const text = lines(shown(18, 13.5, { contextTokens: 131_072 }))
    expect(text.at(-1)).toBe(
      'It does not fit. What does: model.contextTokens = 32768, or model.contextTokens = 65536 with model.cacheType = "q8_0"',
    )
    expect(text).toContainEqual(
      expect.stringMatching(/^\* .*no, 2\.\d GiB short, 2\.\d GiB short on the GPU$/),
    )
  })

  it('says so when nothing fits', () => {
    expect(lines(shown(8, 5)).at(-1)).toBe('No setting makes it fit')
  })

  it('has no columns for a GPU that is not there', () => {
    const text = lines(shown(24, null))
    expect(text[2]).toBe('gpu      none: everything is computed on the host')
    expect(text[5]).toBe('   CONTEXT  CACHE      NEED  FITS')
  })

  it('keeps what matters of the table on a narrow terminal', () => {
    const table = lines(shown(24, 16), 46).slice(5, 16)
    expect(table[0]).toBe('   CONTEXT  CACHE      NEED  FITS')
    expect(Math.max(...table.map((line) => line.length))).toBeLessThanOrEqual(46)
  })

  it('tells what it does not count, and which arguments win over the config', () => {
    const text = lines(shown(24, 16, { extraArgs: ['-md', 'draft.gguf', '-c', '4096'] }))
    expect(text.slice(-2)).toEqual([
      'engine.extraArgs set the context or the cache themselves: they win over the config',
      'Not counted: what -md adds or moves',
    ])
  })

  it('says when the limit of the GPU is not known', () => {
    const plan = shown(24, 16)
    const gpu = { ...plan.budget.gpu!, limitBytes: null, usableBytes: null }
    const unknown: ShownPlan = {
      ...plan,
      budget: { ...plan.budget, gpu },
      gpu: { kind: 'unknown', reason: 'llama-server --list-devices could not be run' },
    }
    expect(lines(unknown)[2]).toBe(
      'gpu      limit unknown, so nothing is held against it: llama-server --list-devices could not be run',
    )
  })
})
