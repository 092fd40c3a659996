/** What a run on an M4 Max could be, for tests to change. */
import type { BenchFigures, DepthFigures } from '../../../../src/cli/bench/figures.ts'

export function depth(askedTokens: number, change: Partial<DepthFigures> = {}): DepthFigures {
  return {
    askedTokens,
    depthTokens: askedTokens + 3,
    promptPerSecond: 1200,
    generatedPerSecond: 90,
    firstToken: { coldMs: 1700, warmMs: 60, directColdMs: 1695, directWarmMs: 57 },
    directPromptPerSecond: 1210,
    directGeneratedPerSecond: 90.5,
    ...change,
  }
}

export function sampleFigures(change: Partial<BenchFigures> = {}): BenchFigures {
  return {
    at: '2026-11-20T08:30:00.000Z',
    machine: { chip: 'Apple M4 Max', cores: 14, memoryBytes: 36 * 2 ** 30 },
    model: { name: 'gpt-oss-20b', sizeBytes: 12_109_566_560, testModel: false },
    contextTokens: 32_768,
    slots: 1,
    engineVersion: '0.5.0',
    oss20bdVersion: '0.1.0',
    rounds: 3,
    generateTokens: 128,
    depths: [depth(2048), depth(8192, { promptPerSecond: 1000, generatedPerSecond: 80 })],
    parallel: [{ requests: 2, generatedPerSecond: 88, slowestFirstTokenMs: 2900 }],
    memory: { peakFootprintBytes: 12 * 2 ** 30, leastAvailableBytes: 9 * 2 ** 30, looks: 40 },
    ...change,
  }
}
