/** `GET /metrics` on the public port: what Prometheus reads. */
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import { Counter, Gauge, Registry } from 'prom-client'
import { type CountEvent, createJournalMetrics } from './journal-metrics.ts'
import { type CountRequest, createRequestMetrics } from './request-metrics.ts'
import { createStateMetrics, type Snapshot } from './state-metrics.ts'

export interface Metrics {
  readonly countRequest: CountRequest
  readonly countEvent: CountEvent
  /** The text of one reading, and its content type. */
  render(snapshot: Snapshot): Promise<{ readonly text: string; readonly contentType: string }>
  /** Ends the watch of the event loop. */
  close(): void
}

/** Ten wakes a second: an event loop that is late is late for longer than that. */
const resolutionMs = 100
const percentiles = { p50: 50, p90: 90, p99: 99, max: 100 }

export function createMetrics(version: string): Metrics {
  const registry = new Registry()
  const registers = [registry]
  new Gauge({
    name: 'oss20bd_build_info',
    help: 'Which version runs',
    labelNames: ['version'],
    registers,
  }).set({ version }, 1)
  const loop = monitorEventLoopDelay({ resolution: resolutionMs })
  loop.enable()
  const showLoop = createLoopMetrics(registry, loop)
  const showState = createStateMetrics(registry)
  return {
    countRequest: createRequestMetrics(registry),
    countEvent: createJournalMetrics(registry),
    render: async (snapshot) => {
      showState(snapshot)
      showLoop()
      return { text: await registry.metrics(), contentType: registry.contentType }
    },
    close: () => loop.disable(),
  }
}

/** Late beyond the resolution of the watch itself, since the last reading. */
function createLoopMetrics(registry: Registry, loop: IntervalHistogram): () => void {
  const registers = [registry]
  const delay = new Gauge({
    name: 'oss20bd_event_loop_delay_seconds',
    help: 'How late the event loop of the daemon was since the last reading, by percentile',
    labelNames: ['percentile'],
    registers,
  })
  const cpu = new Counter({
    name: 'oss20bd_process_cpu_seconds_total',
    help: 'CPU time of the daemon alone',
    registers,
  })
  const resident = new Gauge({
    name: 'oss20bd_process_resident_memory_bytes',
    help: 'Memory of the daemon alone',
    registers,
  })
  return () => {
    for (const [percentile, rank] of Object.entries(percentiles)) {
      const lateNs = loop.percentile(rank) - resolutionMs * 1e6
      // Two readings within one interval: nothing is known of the time between.
      if (loop.count === 0) delay.remove({ percentile })
      else delay.set({ percentile }, Math.max(0, lateNs) / 1e9)
    }
    loop.reset()
    const { user, system } = process.cpuUsage()
    cpu.reset()
    cpu.inc((user + system) / 1e6)
    resident.set(process.memoryUsage.rss())
  }
}
