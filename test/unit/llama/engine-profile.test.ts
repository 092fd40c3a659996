import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  halvedContextTokens,
  maxContextHalvings,
  plannedContextTokens,
  plannedSlots,
} from '../../../src/llama/engine-profile.ts'
import { createLlamaEngine, type LlamaEngineOptions } from '../../../src/llama/llama-engine.ts'

const options: LlamaEngineOptions = {
  file: '/opt/llama-server',
  modelPath: '/models/m.gguf',
  alias: 'gpt-oss-20b',
  socketPath: '/run/engine.sock',
  contextTokens: 32_768,
  slots: 4,
  cacheType: 'f16',
  cacheRamMiB: 1024,
  extraArgs: ['--no-warmup'],
  xdgConfigHome: '/home/me/engine-config',
}
const normal = { safeMode: false, contextHalvings: 0 }
const safe = { safeMode: true, contextHalvings: 0 }

function asked(profile: typeof normal, change: Partial<LlamaEngineOptions> = {}) {
  const { args, env } = createLlamaEngine({ ...options, ...change }, profile, {}).command
  const valueOf = (name: string): string | undefined => args[args.lastIndexOf(name) + 1]
  return {
    context: valueOf('--ctx-size'),
    slots: valueOf('--parallel'),
    cache: valueOf('--cache-ram'),
    tensorOff: env['GGML_METAL_TENSOR_DISABLE'],
    last: args.at(-1),
  }
}

describe('what is asked of the engine', () => {
  it.each([
    // The engine divides what it is given among its slots.
    ['in general', normal, '131072', '4', '1024', undefined],
    [
      'after two halvings',
      { safeMode: false, contextHalvings: 2 },
      '32768',
      '4',
      '1024',
      undefined,
    ],
    ['in safe mode', safe, '8192', '1', '0', '1'],
    ['in safe mode after halvings', { safeMode: true, contextHalvings: 3 }, '4096', '1', '0', '1'],
  ])('%s', (_name, profile, context, slots, cache, tensorOff) => {
    expect(asked(profile)).toEqual({ context, slots, cache, tensorOff, last: '--no-warmup' })
    expect(plannedContextTokens(options, profile)).toBe(Number(context) / Number(slots))
    expect(plannedSlots(options, profile)).toBe(Number(slots))
  })

  it("leaves the user's own arguments, which win", () => {
    const extraArgs = ['-c', '65536', '--ctx_size', '16384', '-np', '2']
    const own = { ...options, extraArgs }
    expect(asked(safe, { extraArgs }).last).toBe('2')
    expect(plannedContextTokens(own, safe)).toBe(8192)
    expect(plannedSlots(own, safe)).toBe(2)
  })

  it.each([['0'], ['-1'], ['many'], [undefined]])(
    'is unknown where they leave it to the engine: %s',
    (value) => {
      const extraArgs = ['-np', ...(value === undefined ? [] : [value])]
      expect(plannedSlots({ ...options, extraArgs }, normal)).toBeNull()
    },
  )
})

describe('the halvings of the context', () => {
  it.each([
    [131_072, 6],
    [32_768, 4],
    [8192, 2],
    [5000, 2],
    [2049, 1],
    [2048, 0],
    [512, 0],
  ])('of %d tokens are %d at most', (contextTokens, most) => {
    expect(maxContextHalvings(contextTokens)).toBe(most)
  })

  it('each take something away up to that number, and nothing after it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 20 }), fc.nat({ max: 12 }), (tokens, halvings) => {
        const less =
          halvedContextTokens(tokens, halvings + 1) < halvedContextTokens(tokens, halvings)
        expect(less).toBe(halvings < maxContextHalvings(tokens))
        expect(halvedContextTokens(tokens, halvings)).toBeGreaterThanOrEqual(Math.min(tokens, 2048))
      }),
    )
  })
})
