import { readFile } from 'node:fs/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { EngineCounters } from '../../../src/engine.ts'
import { createMetrics, type Metrics } from '../../../src/daemon/metrics/metrics.ts'
import type { Snapshot } from '../../../src/daemon/metrics/state-metrics.ts'
import { createRequestLog } from '../../../src/proxy/accounting/request-log.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { reading as makeReading } from '../../helpers/memory-reading.ts'
import { makeStatus } from '../../helpers/status.ts'

const nothing: EngineCounters = {
  requestsProcessing: null,
  requestsWaiting: null,
  workSteps: null,
  promptTokens: null,
  promptSeconds: null,
  generatedTokens: null,
  generatedSeconds: null,
}

const snapshot: Snapshot = { status: makeStatus(), counters: nothing, reading: makeReading({}) }

function metricsForTest(): Metrics {
  const metrics = createMetrics('1.2.3')
  onTestFinished(() => metrics.close())
  return metrics
}

/** The lines that are values. */
async function linesOf(metrics: Metrics, given = snapshot): Promise<readonly string[]> {
  const { text } = await metrics.render(given)
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
}

test('tells the version, the state and the level, one of each', async () => {
  const lines = await linesOf(metricsForTest())
  expect(lines).toContain('oss20bd_build_info{version="1.2.3"} 1')
  const ones = lines.filter((line) => /_(?:state|level|step)\{.*\} 1$/.test(line))
  expect(ones).toEqual([
    'oss20bd_engine_state{state="ready"} 1',
    'oss20bd_memory_level{level="ok"} 1',
    'oss20bd_memory_step{step="normal"} 1',
  ])
})

test('what is unknown is left out, also after it was known', async () => {
  const metrics = metricsForTest()
  const known = {
    ...snapshot,
    counters: { ...nothing, generatedTokens: 7 },
    reading: makeReading({ gpuUsedBytes: 5 }),
  }
  const before = await linesOf(metrics, known)
  expect(before).toContain('oss20bd_engine_generated_tokens_total 7')
  expect(before).toContain('oss20bd_gpu_used_bytes 5')
  const after = await linesOf(metrics, {
    ...known,
    counters: null,
    reading: makeReading({ gpuUsedBytes: null }),
  })
  const names = after.map((line) => line.split(/[{ ]/)[0])
  expect(names).not.toContain('oss20bd_engine_generated_tokens_total')
  expect(names).not.toContain('oss20bd_gpu_used_bytes')
})

test('a counter of a new run begins again', async () => {
  const metrics = metricsForTest()
  await linesOf(metrics, { ...snapshot, counters: { ...nothing, promptTokens: 100 } })
  const lines = await linesOf(metrics, { ...snapshot, counters: { ...nothing, promptTokens: 3 } })
  expect(lines).toContain('oss20bd_engine_prompt_tokens_total 3')
})

describe('requests', () => {
  test('are counted by API and outcome, with what they took in seconds', async () => {
    const metrics = metricsForTest()
    const clock = new FakeClock()
    const log = createRequestLog({ clock, onEnded: metrics.countRequest })
    const asked = { client: 'a', method: 'POST', path: '/x', alias: null, bytes: 1 }
    const chat = log.begin({ ...asked, api: 'chat' })
    chat.queued()
    await clock.advance(2000)
    chat.held()
    await clock.advance(500)
    chat.forwarded()
    chat.replayed()
    chat.continued()
    await clock.advance(250)
    chat.firstByte()
    chat.seen({ promptTokens: 20, generatedTokens: 300 })
    await clock.advance(250)
    chat.end({ status: 200, outcome: 'answered' })
    log.begin({ ...asked, api: null }).end({ status: 200, outcome: 'answered' })
    const lines = await linesOf(metrics)
    for (const line of [
      'oss20bd_requests_total{api="chat",outcome="answered"} 1',
      'oss20bd_requests_total{api="none",outcome="answered"} 1',
      'oss20bd_request_replays_total 1',
      'oss20bd_stream_continuations_total 1',
      'oss20bd_request_queue_seconds_sum{api="chat"} 2',
      'oss20bd_request_hold_seconds_sum{api="chat"} 0.5',
      'oss20bd_request_first_byte_seconds_sum{api="chat"} 2.75',
      'oss20bd_request_duration_seconds_sum{api="chat"} 3',
      'oss20bd_request_prompt_tokens_sum{api="chat"} 20',
      'oss20bd_request_generated_tokens_bucket{le="256",api="chat"} 0',
      'oss20bd_request_generated_tokens_bucket{le="1024",api="chat"} 1',
    ]) {
      expect(lines).toContain(line)
    }
    expect(lines.filter((line) => line.includes('queue_seconds') && line.includes('none'))).toEqual(
      [],
    )
  })
})

test('deaths are counted by cause, and what was done about memory by action', async () => {
  const metrics = metricsForTest()
  metrics.countEvent({ kind: 'exit', message: 'x', facts: { cause: 'gpu-error' } })
  metrics.countEvent({ kind: 'exit', message: 'x', facts: { cause: 'gpu-error' } })
  metrics.countEvent({ kind: 'memory', message: 'x', facts: { action: 'unload' } })
  metrics.countEvent({ kind: 'changed', message: 'x' })
  const lines = await linesOf(metrics)
  expect(lines).toContain('oss20bd_engine_exits_total{cause="gpu-error"} 2')
  expect(lines).toContain('oss20bd_memory_actions_total{action="unload"} 1')
})

test('no help text and no label holds what a client sent', async () => {
  const metrics = metricsForTest()
  const log = createRequestLog({ clock: new FakeClock(), onEnded: metrics.countRequest })
  const hostile = { client: 'evil"\n', method: 'POST', path: '/evil', alias: 'evil', bytes: 1 }
  log.begin({ ...hostile, api: 'chat' }).end({ status: 200, outcome: 'answered' })
  expect((await metrics.render(snapshot)).text).not.toContain('evil')
})

test('the dashboard and the alerts ask for no metric that there is not', async () => {
  const { text } = await metricsForTest().render({
    ...snapshot,
    counters: { ...nothing, generatedTokens: 1, promptTokens: 1 },
  })
  const there = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name))
  const docs = await Promise.all(
    ['alerts.yml', 'grafana.json'].map((file) =>
      readFile(new URL(`../../../docs/prometheus/${file}`, import.meta.url), 'utf8'),
    ),
  )
  const asked = docs.join('\n').match(/oss20bd_\w+/g) ?? []
  expect(asked.length).toBeGreaterThan(10)
  expect(
    asked.map((name) => name.replace(/_bucket$/, '')).filter((name) => !there.has(name)),
  ).toEqual([])
})
