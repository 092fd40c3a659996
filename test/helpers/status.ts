/** A Status of a daemon that is well, for tests to change. */
import type { Status } from '../../src/daemon/control-protocol.ts'

export interface StatusChange {
  readonly daemon?: Partial<Status['daemon']>
  readonly wanted?: Status['wanted']
  readonly engine?: Partial<Status['engine']>
  readonly model?: Partial<Status['model']>
  readonly proxy?: Partial<Status['proxy']>
  readonly memory?: Partial<Status['memory']>
  readonly gpu?: Partial<Status['gpu']>
  readonly throughput?: Partial<Status['throughput']>
}

export function makeStatus(change: StatusChange = {}): Status {
  return {
    daemon: { ...READY.daemon, ...change.daemon },
    wanted: change.wanted ?? READY.wanted,
    engine: { ...READY.engine, ...change.engine },
    model: { ...READY.model, ...change.model },
    proxy: { ...READY.proxy, ...change.proxy },
    memory: { ...READY.memory, ...change.memory },
    gpu: { ...READY.gpu, ...change.gpu },
    throughput: { ...READY.throughput, ...change.throughput },
  }
}

const READY: Status = {
  daemon: {
    pid: 100,
    version: '0.1.0',
    uptimeMs: 7_500_000,
    home: '/home/a',
    logs: '/home/a/logs',
  },
  wanted: 'up',
  engine: {
    state: 'ready',
    detail: 'answering',
    hint: null,
    sinceMs: 192_000,
    pid: 200,
    version: 'b1',
    path: '/home/a/engines/current/bin/llama-server',
    restarts: 0,
    lastExit: null,
    loadProgress: null,
    deaths: 0,
    safeMode: false,
    trial: null,
    lastStop: null,
  },
  model: {
    name: 'gpt-oss-20b',
    path: '/home/a/models/current',
    testModel: false,
    contextTokens: 32_768,
    slots: 1,
  },
  proxy: {
    url: 'http://127.0.0.1:8020',
    alsoListening: [],
    inFlight: 1,
    queued: 0,
    held: 2,
    replayed: 3,
    continued: 0,
    failed: 0,
    today: {
      since: '2026-01-01T00:00:00.000Z',
      answered: 152,
      refused: 0,
      failed: 1,
      generatedTokens: 48_210,
    },
    queue: [],
  },
  memory: {
    level: 'ok',
    budgetBytes: 28 * 2 ** 30,
    plannedBytes: 13 * 2 ** 30,
    footprintBytes: 12 * 2 ** 30,
    availableBytes: 9 * 2 ** 30,
    swapUsedBytes: 0,
    plannedParts: {
      weightBytes: 11.5 * 2 ** 30,
      contextBytes: 0.5 * 2 ** 30,
      workBytes: 0.75 * 2 ** 30,
      promptCacheBytes: 0.25 * 2 ** 30,
    },
    step: 'normal',
    reason: null,
    next: null,
    unknown: {},
  },
  gpu: { usedBytes: 11.8 * 2 ** 30, limitBytes: 21.3 * 2 ** 30, utilisation: 0.87 },
  throughput: { generatedTokensPerSecond: 41.25, promptTokensPerSecond: 380 },
}
