import { describe, expect, it } from 'vitest'
import { readLaunchSettings } from '../../../src/llama/need/launch-settings.ts'
import { serverArgs } from '../../../src/llama/server-args.ts'

const options = {
  file: '/bin/llama-server',
  modelPath: '/models/m.gguf',
  alias: 'gpt-oss-20b',
  socketPath: '/run/engine.sock',
  contextTokens: 32_768,
  slots: 2,
  cacheType: 'q8_0',
  cacheRamMiB: 512,
  extraArgs: [],
  xdgConfigHome: '/config',
} as const

const read = (line: string) => readLaunchSettings(line.split(' '))

describe('readLaunchSettings', () => {
  it('understands what we ask for ourselves', () => {
    expect(readLaunchSettings(serverArgs(options))).toEqual({
      contextTokens: 65_536,
      slots: 2,
      unified: false,
      fullWindow: false,
      batch: 2048,
      microBatch: 512,
      flashAttention: true,
      keyType: 'q8_0',
      valueType: 'q8_0',
      gpuLayers: Infinity,
      hostExpertLayers: 0,
      cacheOnGpu: true,
      mapped: true,
      promptCacheBytes: 512 * 2 ** 20,
      checkpoints: 32,
      uncounted: [],
    })
  })

  it.each([
    ['-c 4096 --ctx-size 8192', { contextTokens: 8192 }],
    ['--ctx_size 8192', { contextTokens: 8192 }],
    ['-c 0', { contextTokens: null }],
    ['-m x', { contextTokens: null, slots: 4, unified: true, promptCacheBytes: 8192 * 2 ** 20 }],
    ['-np -1', { slots: 4, unified: true }],
    ['-np 3', { slots: 3, unified: false }],
    ['-np 3 -kvu', { unified: true }],
    ['-kvu --no-kv-unified', { unified: false }],
    ['--swa-full', { fullWindow: true }],
    ['-b 256 -ub 512', { microBatch: 256 }],
    ['-fa off', { flashAttention: false }],
    ['-fa 0', { flashAttention: false }],
    ['-fa auto', { flashAttention: true }],
    ['--flash-attn on -ctk q4_0', { keyType: 'q4_0', valueType: 'f16' }],
    ['-ngl 12', { gpuLayers: 12 }],
    ['-ngl auto', { gpuLayers: Infinity }],
    ['-dev none', { gpuLayers: 0 }],
    ['-ncmoe 12', { hostExpertLayers: 12 }],
    ['--cpu-moe', { hostExpertLayers: Infinity }],
    ['-nkvo', { cacheOnGpu: false }],
    ['--load-mode none', { mapped: false }],
    ['--load-mode mmap', { mapped: true }],
    ['-cram -1', { promptCacheBytes: null }],
    ['--ctx-checkpoints 0', { checkpoints: 0 }],
    ['-md draft.gguf -ot exps=CPU', { uncounted: ['-ot', '-md'] }],
    ['-np', { slots: 4 }],
    ['-np many', { slots: 4 }],
  ])('%s', (line, expected) => {
    expect(read(line)).toMatchObject(expected)
  })
})
