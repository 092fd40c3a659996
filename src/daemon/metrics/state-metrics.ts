/** How it is now, as Prometheus reads it: set anew for each reading. What is unknown is left out, never 0. */
import { Counter, Gauge, type Registry } from 'prom-client'
import type { EngineCounters } from '../../engine.ts'
import type { MemoryReading } from '../../memory/memory-reading.ts'
import type { EngineStateKind, Status } from '../control-protocol.ts'

export interface Snapshot {
  readonly status: Status
  /** Of the present run; null before the first reading. */
  readonly counters: EngineCounters | null
  readonly reading: MemoryReading
}

type ReadValue = (snapshot: Snapshot) => number | null | undefined

const states: readonly EngineStateKind[] = [
  'down',
  'starting',
  'ready',
  'stopping',
  'backoff',
  'asleep',
  'refused',
  'failed',
]
const levels = ['ok', 'tight', 'critical'] as const
const steps = ['normal', 'one-at-a-time', 'recycle', 'smaller-context', 'unload'] as const

/** Name, meaning, value. A name ends with its unit, or with `_total` when it only grows within one run: that makes a counter of it. */
const VALUES: readonly (readonly [name: string, help: string, value: ReadValue])[] = [
  ['uptime_seconds', 'How long the daemon runs', ({ status }) => status.daemon.uptimeMs / 1000],
  [
    'engine_wanted',
    '1 when the user wants the engine up',
    ({ status }) => bit(status.wanted === 'up'),
  ],
  [
    'engine_ready',
    '1 when the engine answers',
    ({ status }) => bit(status.engine.state === 'ready'),
  ],
  [
    'engine_safe_mode',
    '1 in the smallest set-up, after too many deaths',
    ({ status }) => bit(status.engine.safeMode),
  ],
  [
    'engine_load_ratio',
    'How much of the model is loaded, 0 to 1',
    ({ status }) => status.engine.loadProgress,
  ],
  [
    'engine_restarts_total',
    'Runs begun after an earlier run',
    ({ status }) => status.engine.restarts,
  ],
  [
    'model_context_tokens',
    'The context of one conversation',
    ({ status }) => status.model.contextTokens,
  ],
  [
    'model_slots',
    'How many requests the engine works on at once',
    ({ status }) => status.model.slots,
  ],
  ['requests_in_flight', 'Requests that the engine has', ({ status }) => status.proxy.inFlight],
  ['requests_queued', 'Requests that wait for a slot', ({ status }) => status.proxy.queued],
  ['requests_held', 'Requests that wait for the engine', ({ status }) => status.proxy.held],
  [
    'engine_requests_processing',
    'Requests that the engine says it works on',
    ({ counters }) => counters?.requestsProcessing,
  ],
  [
    'engine_prompt_tokens_total',
    'Prompt tokens that this run has read',
    ({ counters }) => counters?.promptTokens,
  ],
  [
    'engine_prompt_seconds_total',
    'Time that this run has read prompts',
    ({ counters }) => counters?.promptSeconds,
  ],
  [
    'engine_generated_tokens_total',
    'Tokens that this run has generated',
    ({ counters }) => counters?.generatedTokens,
  ],
  [
    'engine_generated_seconds_total',
    'Time that this run has generated',
    ({ counters }) => counters?.generatedSeconds,
  ],
  [
    'engine_work_steps_total',
    'Steps of work of this run, which tell a hang',
    ({ counters }) => counters?.workSteps,
  ],
  ['memory_budget_bytes', 'What the engine may take', ({ status }) => status.memory.budgetBytes],
  [
    'memory_planned_bytes',
    'What the engine was expected to take',
    ({ status }) => status.memory.plannedBytes,
  ],
  ['memory_footprint_bytes', 'What the engine takes', ({ reading }) => reading.footprintBytes],
  [
    'memory_total_bytes',
    'Of the machine, or of the limit that it is under',
    ({ reading }) => reading.totalBytes,
  ],
  [
    'memory_available_bytes',
    'What could be used without swapping',
    ({ reading }) => reading.availableBytes,
  ],
  ['memory_swap_used_bytes', 'Swap in use', ({ reading }) => reading.swapUsedBytes],
  [
    'memory_swap_out_bytes_per_second',
    'Written to swap',
    ({ reading }) => reading.swapOutBytesPerSecond,
  ],
  [
    'memory_swap_in_bytes_per_second',
    'Read from swap',
    ({ reading }) => reading.swapInBytesPerSecond,
  ],
  [
    'memory_stalled_ratio',
    'Share of the time in which some task waited for memory',
    ({ reading }) => share(reading.stalledPercent),
  ],
  [
    'memory_compressor_bytes',
    'What the compressor of macOS holds',
    ({ reading }) => reading.compressorBytes,
  ],
  [
    'memory_compressor_segments_ratio',
    'Share of its segments in use; at 1 macOS panics',
    ({ reading }) => reading.compressorSegmentsShare,
  ],
  ['disk_free_bytes', 'Free on the disk of the swap file', ({ reading }) => reading.freeDiskBytes],
  ['gpu_used_bytes', 'Memory of the GPU in use', ({ reading }) => reading.gpuUsedBytes],
  ['gpu_limit_bytes', 'What the GPU may hold', ({ reading }) => reading.gpuLimitBytes],
  ['gpu_utilisation_ratio', 'How busy the GPU is, 0 to 1', ({ reading }) => reading.gpuUtilisation],
]

/** Sets every gauge from what is known now. */
export type ShowState = (snapshot: Snapshot) => void

export function createStateMetrics(registry: Registry): ShowState {
  const registers = [registry]
  const values = VALUES.map(([name, help, read]) => {
    return { set: setterFor({ name: `oss20bd_${name}`, help, registers }), read }
  })
  const oneOf = (name: string, help: string, label: string): Gauge =>
    new Gauge({ name: `oss20bd_${name}`, help, labelNames: [label], registers })
  const state = oneOf('engine_state', '1 for the state the engine is in', 'state')
  const level = oneOf('memory_level', '1 for the level of memory pressure', 'level')
  const step = oneOf('memory_step', '1 for how far the engine is restrained', 'step')
  return (snapshot) => {
    for (const { set, read } of values) set(read(snapshot) ?? null)
    const { engine, memory } = snapshot.status
    for (const name of states) state.set({ state: name }, bit(engine.state === name))
    for (const name of levels) level.set({ level: name }, bit(memory.level === name))
    for (const name of steps) step.set({ step: name }, bit(memory.step === name))
  }
}

/** Without labels a metric is shown as 0 from its beginning, and even after a reset: only `remove` leaves it out. */
function setterFor(options: {
  readonly name: string
  readonly help: string
  readonly registers: Registry[]
}): (value: number | null) => void {
  if (!options.name.endsWith('_total')) {
    const gauge = new Gauge(options)
    return (value) => (value === null ? gauge.remove() : gauge.set(value))
  }
  const counter = new Counter(options)
  return (value) => {
    counter.remove()
    if (value !== null) counter.inc(value)
  }
}

function bit(is: boolean): 0 | 1 {
  return is ? 1 : 0
}

function share(percent: number | null): number | null {
  return percent === null ? null : percent / 100
}
