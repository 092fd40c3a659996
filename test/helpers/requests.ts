/** What the daemon tells of requests, for tests to change. */
import type { RequestRecord, RequestsAnswer, RequestView } from '../../src/request-record.ts'

const FACTS = {
  id: 'r1a2',
  client: 'open-webui',
  api: 'chat',
  method: 'POST',
  path: '/v1/chat/completions',
  alias: 'gpt-oss-20b',
  bytes: 900,
  startedAt: '2026-01-01T00:00:28.500Z',
  queuedMs: 0,
  heldMs: 0,
  firstByteMs: null,
  promptTokens: null,
  cachedTokens: null,
  generatedTokens: null,
  promptPerSecond: null,
  generatedPerSecond: null,
  replays: 0,
  continuations: 0,
}

export function makeView(change: Partial<RequestView> = {}): RequestView {
  return { ...FACTS, phase: 'answering', phaseMs: 100, ageMs: 800, isCancelled: false, ...change }
}

export function makeRecord(change: Partial<RequestRecord> = {}): RequestRecord {
  return {
    ...FACTS,
    firstByteMs: 640,
    promptTokens: 1800,
    endedAt: '2026-01-01T00:00:30.000Z',
    status: 200,
    outcome: 'answered',
    tookMs: 1500,
    ...change,
  }
}

export function makeRequests(change: Partial<RequestsAnswer> = {}): RequestsAnswer {
  return {
    open: [makeView()],
    recent: [makeRecord()],
    totals: {
      open: 1,
      ended: 7,
      byOutcome: {
        answered: 6,
        failed: 1,
        refused: 0,
        broken: 0,
        'client-gone': 0,
        'passed-on': 0,
        cancelled: 0,
      },
      replays: 3,
      continuations: 0,
      promptTokens: 9000,
      cachedTokens: 100,
      generatedTokens: 5000,
      queuedMs: 0,
      heldMs: 0,
      firstByteMs: 4000,
      firstBytes: 7,
    },
    ...change,
  }
}
