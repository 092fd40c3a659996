/** What the requests at the port took, as Prometheus counts it. */
import { Counter, Histogram, type Registry } from 'prom-client'
import type { EndedRequest } from '../../proxy/accounting/request.ts'

/** Seconds: from an answer out of the cache to a long thought on a slow Mac. */
const durationBuckets = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600]
/** Seconds a request waits: most do not at all. */
const waitBuckets = [0.001, 0.01, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120]
const tokenBuckets = [16, 64, 256, 1024, 4096, 16_384, 65_536, 131_072]

/** Takes one request that is over into account; some microseconds. */
export type CountRequest = (request: EndedRequest) => void

export function createRequestMetrics(registry: Registry): CountRequest {
  const counts = createCounts(registry)
  const sizes = createSizes(registry)
  return (request) => {
    const { api: asked, outcome, tokens, replays, continuations } = request
    const api = asked ?? 'none'
    counts.requests.inc({ api, outcome })
    if (replays > 0) counts.replays.inc(replays)
    if (continuations > 0) counts.continuations.inc(continuations)
    sizes.duration.observe({ api }, request.tookMs / 1000)
    if (request.firstByteMs !== null) sizes.firstByte.observe({ api }, request.firstByteMs / 1000)
    // The others neither wait nor have tokens.
    if (asked === null) return
    sizes.queue.observe({ api }, request.queuedMs / 1000)
    sizes.hold.observe({ api }, request.heldMs / 1000)
    if (tokens?.promptTokens != null) sizes.prompt.observe({ api }, tokens.promptTokens)
    if (tokens?.generatedTokens != null) sizes.generated.observe({ api }, tokens.generatedTokens)
  }
}

function createCounts(registry: Registry) {
  const registers = [registry]
  return {
    requests: new Counter({
      name: 'oss20bd_requests_total',
      help: 'Requests that are over, by API ("none" took no slot) and by how they ended',
      labelNames: ['api', 'outcome'],
      registers,
    }),
    replays: new Counter({
      name: 'oss20bd_request_replays_total',
      help: 'Times a request was sent again from the beginning, after the engine had died',
      registers,
    }),
    continuations: new Counter({
      name: 'oss20bd_stream_continuations_total',
      help: 'Times a stream went on after the engine had died in the middle of it',
      registers,
    }),
  }
}

function createSizes(registry: Registry) {
  const histogram = (name: string, help: string, buckets: number[]): Histogram<'api'> =>
    new Histogram({
      name: `oss20bd_request_${name}`,
      help,
      labelNames: ['api'],
      buckets,
      registers: [registry],
    })
  return {
    duration: histogram('duration_seconds', 'From the head to the last byte', durationBuckets),
    firstByte: histogram('first_byte_seconds', 'To the first byte of the answer', durationBuckets),
    queue: histogram('queue_seconds', 'Waited for a slot', waitBuckets),
    hold: histogram('hold_seconds', 'Waited for the engine', waitBuckets),
    prompt: histogram('prompt_tokens', 'Tokens of the prompt', tokenBuckets),
    generated: histogram('generated_tokens', 'Tokens of the answer', tokenBuckets),
  }
}
