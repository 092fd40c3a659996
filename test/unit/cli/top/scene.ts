/** News of a daemon that is well, for tests of the live view. */
import type { Now } from '../../../../src/daemon/dashboard/feed-protocol.ts'
import { sampleFrom } from '../../../../src/daemon/dashboard/sample.ts'
import type { JournalEvent } from '../../../../src/journal.ts'
import type { RequestView } from '../../../../src/request-record.ts'
import { makeStatus, type StatusChange } from '../../../helpers/status.ts'

/** Ten seconds past, so that each step of a plot is its own. */
export const NOW_MS = new Date(2026, 0, 1, 12, 0, 0).getTime()

const midnight = new Date(2026, 0, 1).toISOString()

export function openRequest(change: Partial<RequestView> = {}): RequestView {
  return {
    id: 'r1',
    client: 'OpenAI/JS',
    api: 'chat',
    method: 'POST',
    path: '/v1/chat/completions',
    alias: 'gpt-oss-20b',
    bytes: 100,
    startedAt: new Date(NOW_MS).toISOString(),
    queuedMs: 0,
    heldMs: 0,
    firstByteMs: 120,
    promptTokens: null,
    cachedTokens: null,
    generatedTokens: null,
    promptPerSecond: null,
    generatedPerSecond: null,
    replays: 0,
    continuations: 0,
    phase: 'answering',
    phaseMs: 900,
    ageMs: 1000,
    isCancelled: false,
    ...change,
  }
}

export function sample(atMs: number, footprintBytes: number, generatedPerSecond: number | null) {
  return sampleFrom(atMs, (name) => {
    if (name === 'footprintBytes') return footprintBytes
    return name === 'generatedPerSecond' ? generatedPerSecond : null
  })
}

export function makeNow(change: StatusChange = {}, open: readonly RequestView[] = []): Now {
  const today = { ...makeStatus().proxy.today, since: midnight }
  return {
    status: makeStatus({ ...change, proxy: { today, ...change.proxy } }),
    requests: {
      open,
      recent: [],
      totals: {
        open: open.length,
        ended: 0,
        byOutcome: {
          answered: 0,
          refused: 0,
          failed: 0,
          broken: 0,
          'client-gone': 0,
          'passed-on': 0,
          cancelled: 0,
        },
        replays: 0,
        continuations: 0,
        promptTokens: 0,
        cachedTokens: 0,
        generatedTokens: 0,
        queuedMs: 0,
        heldMs: 0,
        firstByteMs: 0,
        firstBytes: 0,
      },
    },
    sample: sample(NOW_MS, 12 * 2 ** 30, 40),
    slots: [
      {
        id: 0,
        isBusy: true,
        taskId: 52,
        contextTokens: 32_768,
        heldTokens: 1000,
        readTokens: 1000,
        generatedTokens: 0,
      },
    ],
    droppedViewers: 0,
  }
}

export function event(message: string, atMs = NOW_MS): JournalEvent {
  const at = new Date(atMs).toISOString()
  return { at, kind: 'state', message, hint: null, facts: {}, evidence: [] }
}

export function logLine(message: string, level = 'info'): string {
  return JSON.stringify({ at: new Date(NOW_MS).toISOString(), level, source: 'engine', message })
}
