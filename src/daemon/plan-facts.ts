/** Reads what memory plans are made of: the header of the model, the engine's devices, the machine. */
import { totalmem } from 'node:os'
import type { Config } from '../config/config.ts'
import { isMetal } from '../device-list.ts'
import { listDevices } from '../llama/devices.ts'
import { readEngineVersion } from '../llama/engine-info.ts'
import type { EngineKind } from '../llama/memory-need.ts'
import { engineAgeOf } from '../llama/need/compute-buffers.ts'
import { shapeOf, type ShapeResult } from '../llama/need/model-shape.ts'
import { type Budget, budgetOf, type Machine } from '../memory/budget.ts'
import type { GgufHeader } from '../model/gguf-header.ts'
import { type ModelHeader, readModelHeader } from '../model/model-file.ts'
import { judgeSize } from '../model/too-large.ts'
import type { Overlarge, PlanFacts } from './memory-plan.ts'

export interface Planned {
  readonly modelFile: string
  readonly engineFile: string
  readonly config: Pick<Config, 'memory'>
  readonly physicalBytes: number
  readonly platform: NodeJS.Platform
  /** Another machine than this one. */
  readonly asked: AskedMachine
}

/** Null = as this machine has it. */
export interface AskedMachine {
  readonly memoryBytes: number | null
  /** 0 = no GPU. */
  readonly gpuBytes: number | null
}

export const THIS_MACHINE: AskedMachine = { memoryBytes: null, gpuBytes: null }

/** Of the machine, or of the cgroup that limits this process, whichever is less. */
export function ownMemoryBytes(): number {
  const limitBytes = process.constrainedMemory()
  return limitBytes > 0 ? Math.min(limitBytes, totalmem()) : totalmem()
}

/** The facts, and in words what about the GPU was found or not. */
export interface FoundFacts extends PlanFacts {
  readonly gpu: GpuFound
}

export type GpuFound =
  | { readonly kind: 'none' }
  | { readonly kind: 'found'; readonly name: string }
  | { readonly kind: 'asked' }
  | { readonly kind: 'unknown'; readonly reason: string }

/** Never rejects for what is wrong with a file: what is not known is said in the facts. */
export async function readPlanFacts(planned: Planned): Promise<FoundFacts> {
  const { config, engineFile, asked, modelFile } = planned
  const [read, version, gpu] = await Promise.all([
    readModelHeader(modelFile),
    readEngineVersion(engineFile),
    asked.gpuBytes === null ? readGpu(engineFile, planned.platform) : askedGpu(asked.gpuBytes),
  ])
  const budget = budgetOf({
    memory: memoryOf(planned),
    reserveBytes: config.memory.reserveBytes,
    gpu: gpu.limit,
  })
  return {
    model: shapeFrom(read, modelFile),
    overlarge: read.kind === 'ok' ? judgeWeights(read.header, modelFile, budget) : null,
    engine: { backend: gpu.backend, age: engineAgeOf(version?.version ?? null) },
    budget,
    gpu: gpu.found,
  }
}

/** Also of a model whose need is not known: its weights are. A GPU with memory of its own holds some of them. */
function judgeWeights(header: GgufHeader, file: string, { memory, gpu }: Budget): Overlarge | null {
  const apart = gpu === null || gpu.sharesMemory ? 0 : (gpu.usableBytes ?? Infinity)
  const haveBytes = memory.usableBytes + apart
  const found = judgeSize(file, header, haveBytes)
  if (found === null) return null
  const needBytes = header.tensors.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  return { ...found, needBytes, haveBytes }
}

function shapeFrom(read: ModelHeader, modelFile: string): ShapeResult {
  if (read.kind !== 'ok') return { kind: 'unknown', reason: read.message }
  const found = shapeOf(read.header)
  if (found.kind === 'known') return found
  return { kind: 'unknown', reason: `Cannot plan for ${modelFile}: ${found.reason}` }
}

function memoryOf({ asked, config, physicalBytes }: Planned): Machine['memory'] {
  if (asked.memoryBytes !== null) return { totalBytes: asked.memoryBytes, source: 'asked' }
  const { budgetBytes } = config.memory
  if (budgetBytes !== null) return { totalBytes: budgetBytes, source: 'config' }
  return { totalBytes: physicalBytes, source: 'physical' }
}

interface Gpu {
  readonly backend: EngineKind['backend']
  readonly found: GpuFound
  readonly limit: Machine['gpu']
}

const NO_GPU: Gpu = { backend: 'cpu', found: { kind: 'none' }, limit: null }

/** A GPU that is only asked about is that of a Mac. */
function askedGpu(limitBytes: number): Gpu {
  if (limitBytes === 0) return NO_GPU
  const limit = { limitBytes, source: 'asked', sharesMemory: true } as const
  return { backend: 'metal', found: { kind: 'asked' }, limit }
}

async function readGpu(engineFile: string, platform: NodeJS.Platform): Promise<Gpu> {
  const list = await listDevices(engineFile)
  if (list.kind === 'unknown') return unknownGpu(list.reason, platform)
  const [first] = list.devices
  if (first === undefined) return NO_GPU
  const sharesMemory = isMetal(first)
  const limitBytes = list.devices.reduce((sum, device) => sum + device.limitBytes, 0)
  return {
    backend: sharesMemory ? 'metal' : 'discrete',
    found: { kind: 'found', name: list.devices.map(({ name }) => name).join(', ') },
    limit: { limitBytes, source: 'engine', sharesMemory },
  }
}

/** Every Mac has a GPU, so that its part is planned, though nothing is held against it. */
function unknownGpu(reason: string, platform: NodeJS.Platform): Gpu {
  const found = { kind: 'unknown', reason } as const
  if (platform !== 'darwin') return { backend: 'cpu', found, limit: null }
  const limit = { limitBytes: null, source: 'engine', sharesMemory: true } as const
  return { backend: 'metal', found, limit }
}
