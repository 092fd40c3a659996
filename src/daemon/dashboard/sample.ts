/** What the plots show of one moment, and how it is read from what the daemon knows. Pure. */
import type { EngineCounters } from '../../engine.ts'
import type { RequestTotals } from '../../request-record.ts'
import type { Snapshot } from '../metrics/state-metrics.ts'

/** In the order in which the history file keeps them: new ones go to the end, none goes away. */
export const SAMPLE_FIELDS = [
  'footprintBytes',
  'availableBytes',
  'budgetBytes',
  'plannedBytes',
  'swapUsedBytes',
  'gpuUsedBytes',
  /** 0 to 1. */
  'gpuUtilisation',
  /** While it generated: the speed that the engine itself measured since the sample before. */
  'generatedPerSecond',
  /** The same of reading prompts. */
  'promptPerSecond',
  /** The mean of the requests that ended since the sample before. */
  'firstByteMs',
  /** Requests that wait for a slot or for the engine. */
  'waiting',
  'inFlight',
  /** Since the daemon started. */
  'restarts',
  /** 0 ok, 1 tight, 2 critical. */
  'level',
] as const

export type SampleField = (typeof SAMPLE_FIELDS)[number]

/** Unknown is `null`, never 0. */
export type Sample = { readonly atMs: number } & Readonly<Record<SampleField, number | null>>

/** What grows, as it was at one moment: two of them make a mean. */
export interface Sums {
  readonly counters: EngineCounters | null
  readonly totals: Pick<RequestTotals, 'firstByteMs' | 'firstBytes'>
}

const levels = { ok: 0, tight: 1, critical: 2 } as const

/** `before` = null: nothing to compare with, so no speed is known. */
export function sampleOf(
  atMs: number,
  { status, reading }: Snapshot,
  before: Sums | null,
  now: Sums,
): Sample {
  const { memory, proxy, engine } = status
  const was = before?.counters
  const is = now.counters
  return {
    atMs,
    footprintBytes: reading.footprintBytes,
    availableBytes: reading.availableBytes,
    budgetBytes: memory.budgetBytes,
    plannedBytes: memory.plannedBytes,
    swapUsedBytes: reading.swapUsedBytes,
    gpuUsedBytes: reading.gpuUsedBytes,
    gpuUtilisation: reading.gpuUtilisation,
    generatedPerSecond: per(
      grown(was?.generatedTokens, is?.generatedTokens),
      grown(was?.generatedSeconds, is?.generatedSeconds),
    ),
    promptPerSecond: per(
      grown(was?.promptTokens, is?.promptTokens),
      grown(was?.promptSeconds, is?.promptSeconds),
    ),
    firstByteMs: per(
      grown(before?.totals.firstByteMs, now.totals.firstByteMs),
      grown(before?.totals.firstBytes, now.totals.firstBytes),
    ),
    waiting: proxy.queued + proxy.held,
    inFlight: proxy.inFlight,
    restarts: engine.restarts,
    level: memory.level === null ? null : levels[memory.level],
  }
}

/** null when unknown, and when it fell: another run of the engine began in between. */
function grown(before: number | null | undefined, now: number | null | undefined): number | null {
  if (before == null || now == null || now < before) return null
  return now - before
}

function per(amount: number | null, of: number | null): number | null {
  return amount === null || of === null || of === 0 ? null : amount / of
}

/**
 * So few samples that a plot can show them: one per `stepMs`, the mean of what is known in it. What counts
 * up, and the level, is the last known: a mean of them means nothing.
 */
export function thin(samples: readonly Sample[], stepMs: number): readonly Sample[] {
  const steps = new Map<number, Sample[]>()
  for (const sample of samples) {
    const step = Math.floor(sample.atMs / stepMs)
    const known = steps.get(step)
    if (known === undefined) steps.set(step, [sample])
    else known.push(sample)
  }
  return [...steps.values()].map(merged)
}

const lastOf = new Set<SampleField>(['restarts', 'level'])

function merged(samples: readonly Sample[]): Sample {
  return sampleFrom(samples[0]?.atMs ?? 0, (name) => {
    const known = samples.map((sample) => sample[name]).filter((value) => value !== null)
    if (known.length === 0) return null
    if (lastOf.has(name)) return known.at(-1) ?? null
    return known.reduce((sum, value) => sum + value, 0) / known.length
  })
}

/** Makes a sample of one value per field. */
export function sampleFrom(
  atMs: number,
  read: (name: SampleField, index: number) => number | null,
): Sample {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the list of fields is what the type is made of
  const values = Object.fromEntries(
    SAMPLE_FIELDS.map((name, index) => [name, read(name, index)]),
  ) as Record<SampleField, number | null>
  return { atMs, ...values }
}
