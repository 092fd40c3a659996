/** The engine as the product makes it, on the test engine, for tests that run it themselves. */
import { join } from 'node:path'
import type { Engine } from '../../src/engine.ts'
import { createLlamaEngine, type LlamaEngineOptions } from '../../src/llama/llama-engine.ts'
import type { TempDir } from './temp-dir.ts'
import { testEngineFolder } from './test-engine.ts'

/** All of its files in `dir`; the model is to be there as `model.gguf`. */
export function engineFor(dir: TempDir, change: Partial<LlamaEngineOptions> = {}): Engine {
  const options: LlamaEngineOptions = {
    file: join(testEngineFolder(), 'bin', 'llama-server'),
    modelPath: dir.file('model.gguf'),
    alias: 'gpt-oss-20b',
    socketPath: dir.file('e.sock'),
    contextTokens: 4096,
    slots: 1,
    cacheType: 'f16',
    cacheRamMiB: 64,
    extraArgs: [],
    xdgConfigHome: dir.file('config'),
    ...change,
  }
  return createLlamaEngine(options, { safeMode: false, contextHalvings: 0 })
}
