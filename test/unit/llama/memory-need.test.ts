import { describe, expect, it } from 'vitest'
import { type EngineKind, memoryNeed } from '../../../src/llama/memory-need.ts'
import { readLaunchSettings } from '../../../src/llama/need/launch-settings.ts'
import { type ModelShape, shapeOf } from '../../../src/llama/need/model-shape.ts'
import { GPT_OSS_20B, hollowHeader } from '../../helpers/hollow-model.ts'

const MIB = 2 ** 20
const found = shapeOf(hollowHeader(GPT_OSS_20B))
const shape: ModelShape = found.kind === 'known' ? found.shape : expect.fail(found.reason)

function needOf(line: string, engine: EngineKind) {
  const need = memoryNeed(shape, readLaunchSettings(line.split(' ')), engine)
  if (need === null) throw new Error('unknown type of cache')
  return need
}

function mib(part: { weightBytes: number; cacheBytes: number; computeBytes: number }) {
  const { weightBytes, cacheBytes, computeBytes } = part
  return [weightBytes, cacheBytes, computeBytes].map((bytes) => Math.floor(bytes / MIB))
}

const macOfThen: EngineKind = { backend: 'metal', age: 'older' }
const mac: EngineKind = { backend: 'metal', age: 'current' }

describe('what gpt-oss-20b takes on a Mac', () => {
  // Logs of an M5 with 24 GB: builds 8185, 8198 (its file was another one) and 8193.
  it('is what a log of the whole context says', () => {
    const { gpu, host } = needOf('-c 131072 -np 1 -ngl all -fa on -b 2048 -ub 512', macOfThen)
    expect(mib(gpu)).toEqual([11_536, 3090, 420])
    expect(mib(host)).toEqual([586, 0, 268])
    expect(host.outputBytes / MIB).toBeCloseTo(0.77)
  })

  it('is what a log of four unified slots says', () => {
    const { gpu, host } = needOf('-c 131072 -np 4 -kvu -ngl all -ub 512', macOfThen)
    expect(gpu.cacheBytes / MIB).toBe(3096)
    expect(gpu.computeBytes / MIB).toBeGreaterThan(420)
    expect(gpu.computeBytes / MIB).toBeLessThan(422)
    expect(Math.floor(host.computeBytes / MIB)).toBe(269)
  })

  it('is what a log of twelve layers with their experts on the host, unmapped, says', () => {
    const line = '-c 32768 -np 4 -kvu -ngl all --n-cpu-moe 12 --load-mode none'
    const { gpu, host, sharedBytes } = needOf(line, macOfThen)
    expect(gpu.weightBytes / MIB).toBeCloseTo(6095.68, 1)
    expect(host.weightBytes / MIB).toBeCloseTo(599.48 + 4841.02, 1)
    expect(gpu.cacheBytes / MIB).toBe(792)
    expect(gpu.computeBytes / MIB).toBeCloseTo(398.38, 1)
    expect(host.computeBytes / MIB).toBeCloseTo(144.77, 1)
    expect(host.outputBytes / MIB).toBeCloseTo(3.07)
    expect(sharedBytes).toBe(0)
  })

  it('counts the pages of a mapped file once, though the GPU maps those of the host as well', () => {
    const need = needOf('-c 8192 -np 1 -ngl all', mac)
    expect(need.sharedBytes / MIB).toBeCloseTo(586.82, 1)
    expect(need.totalBytes).toBe(need.gpuBytes + need.hostBytes - need.sharedBytes)
  })

  it('has, with the pinned engine, the cache of a layer once more, but no logits of the whole batch', () => {
    const line = '-np 1 -ngl all -fa on -b 2048 -ub 512'
    const [small, large] = [8192, 131_072].map(
      (c) => needOf(`-c ${c} ${line}`, mac).gpu.computeBytes,
    )
    expect(small! / MIB).toBeLessThan(120)
    // Masks of 128 MiB and 256 MiB of keys and values.
    expect(large! / MIB).toBeGreaterThan(128 + 256)
    expect(large! / MIB).toBeLessThan(128 + 256 + 64)
  })
})

describe('what it takes on the host beside the engine', () => {
  it('is the prompt cache at its limit and every checkpoint of every slot', () => {
    const { host } = needOf('-c 32768 -np 2 -cram 1024 --ctx-checkpoints 4', mac)
    expect(host.promptCacheBytes).toBe(1024 * MIB)
    // 768 cells in 12 layers, 2048 bytes each.
    expect(host.checkpointBytes / MIB).toBe(2 * 4 * 18)
  })

  it('is as large as the cache itself where the prompt cache has no limit', () => {
    const { host, gpu } = needOf('-c 32768 -np 1 --cache-ram -1', mac)
    expect(host.promptCacheBytes).toBe(gpu.cacheBytes)
  })

  it('has no checkpoints where every layer keeps the whole context', () => {
    expect(needOf('-c 32768 -np 1 --swa-full', mac).host.checkpointBytes).toBe(0)
  })
})

describe('the KV cache', () => {
  it.each([
    ['-c 32768 -np 1', 786],
    ['-c 32768 -np 4', 840],
    ['-c 32768 -np 4 -kvu', 792],
    ['-c 32768 -np 1 --swa-full', 1536],
    ['-c 32768 -np 1 -ctk q8_0 -ctv q8_0', 417.5625],
    ['-c 131072 -np 1 -ub 2048', 3126],
    ['-np 1', 3090],
  ])('of %s takes %d MiB', (line, expected) => {
    expect(needOf(line, mac).gpu.cacheBytes / MIB).toBe(expected)
  })

  it('of a type that is not known has no need that is known', () => {
    const settings = readLaunchSettings(['-ctk', 'q2_k'])
    expect(memoryNeed(shape, settings, mac)).toBeNull()
  })

  it('lies where its layers lie', () => {
    const { gpu, host } = needOf('-c 32768 -np 1 -ngl 13', mac)
    expect((gpu.cacheBytes + host.cacheBytes) / MIB).toBe(786)
    expect(gpu.cacheBytes).toBe(host.cacheBytes)
  })
})

describe('a header that says too little', () => {
  it('names what is missing', () => {
    const header = hollowHeader(GPT_OSS_20B)
    const numbers = new Map(header.numbers)
    numbers.delete('gpt-oss.attention.sliding_window')
    expect(shapeOf({ ...header, numbers })).toEqual({
      kind: 'unknown',
      reason: 'it lacks gpt-oss.attention.sliding_window',
    })
  })

  it('of another architecture is not guessed at', () => {
    expect(shapeOf({ ...hollowHeader(GPT_OSS_20B), architecture: 'llama' }).kind).toBe('unknown')
  })

  it('may have a list of the layers with a window, or a count per layer', () => {
    const header = hollowHeader(GPT_OSS_20B)
    const pattern = Array.from({ length: 24 }, () => 1)
    const numbers = new Map<string, number | readonly number[]>(header.numbers)
      .set('gpt-oss.attention.sliding_window_pattern', pattern)
      .set('gpt-oss.expert_feed_forward_length', [2880, 1440])
    const result = shapeOf({ ...header, numbers })
    expect(result).toMatchObject({
      kind: 'known',
      shape: { windowed: pattern.map(() => true), expertWidth: 2880 },
    })
  })
})
