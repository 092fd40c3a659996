/** What a planned run takes of the memory of the machine, in parts that a person knows. Pure. */
import type { MemoryNeed } from '../llama/memory-need.ts'
import type { Budget } from '../memory/budget.ts'
import type { PlannedParts } from './control-protocol.ts'

/** What a GPU with memory of its own holds is no part of it. */
export function partsInMemory(
  { gpu, host, sharedBytes }: Pick<MemoryNeed, 'gpu' | 'host' | 'sharedBytes'>,
  budget: Pick<Budget, 'gpu'>,
): PlannedParts {
  const isOneMemory = budget.gpu === null || budget.gpu.sharesMemory
  const beside = isOneMemory ? gpu : { weightBytes: 0, cacheBytes: 0, computeBytes: 0 }
  const shared = isOneMemory ? sharedBytes : 0
  return {
    weightBytes: host.weightBytes + beside.weightBytes - shared,
    contextBytes: host.cacheBytes + beside.cacheBytes,
    workBytes: host.computeBytes + beside.computeBytes + host.outputBytes + host.processBytes,
    promptCacheBytes: host.promptCacheBytes + host.checkpointBytes,
  }
}

export function sumOf(parts: PlannedParts): number {
  const { weightBytes, contextBytes, workBytes, promptCacheBytes } = parts
  return weightBytes + contextBytes + workBytes + promptCacheBytes
}
