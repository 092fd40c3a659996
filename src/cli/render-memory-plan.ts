/** A memory plan as the lines a person reads. Pure. */
import type { MemoryPlan, PlanRow } from '../daemon/memory-plan.ts'
import type { FoundFacts } from '../daemon/plan-facts.ts'
import { wordsOf } from '../daemon/setting-words.ts'
import { formatBytes } from '../units.ts'
import type { Paint } from './paint.ts'
import { type Column, renderTable } from './table.ts'

export interface ShownPlan extends Pick<FoundFacts, 'engine' | 'budget' | 'gpu'> {
  readonly modelFile: string
  /** As it was asked for. */
  readonly contextTokens: number | 'auto'
  readonly slots: number
  readonly extraArgs: readonly string[]
  readonly plan: Extract<MemoryPlan, { kind: 'planned' }>
}

export function renderPlan(shown: ShownPlan, paint: Paint, width: number): readonly string[] {
  const { plan } = shown
  const [titles = '', ...lines] = renderTable(columnsOf(shown), plan.rows, width)
  return [
    ...facts(shown).map(([label, text]) => `${paint.dim(label.padEnd(9))}${text}`),
    '',
    paint.dim(titles),
    ...lines.map((line, index) => dyed(line, plan.rows[index], paint)),
    '',
    ...outcome(shown, paint),
    ...notes(shown),
  ]
}

function columnsOf({ budget }: ShownPlan): readonly Column<PlanRow>[] {
  const right = { align: 'right', dropOrder: 0 } as const
  const hasGpu = budget.gpu !== null
  return [
    { title: '', dropOrder: 0, cell: ({ chosen }) => (chosen ? '*' : '') },
    { title: 'CONTEXT', ...right, cell: ({ contextTokens }) => String(contextTokens) },
    { title: 'CACHE', dropOrder: 0, cell: ({ cacheType }) => cacheType },
    { title: 'NEED', ...right, cell: (row) => formatBytes(wholeOf(row, budget)) },
    {
      title: 'GPU',
      align: 'right',
      dropOrder: 2,
      cell: ({ need }) => (hasGpu ? formatBytes(need.gpuBytes) : ''),
    },
    {
      title: 'HOST',
      align: 'right',
      dropOrder: 3,
      cell: ({ need }) => (hasGpu ? formatBytes(need.hostBytes - need.sharedBytes) : ''),
    },
    { title: 'FITS', dropOrder: 0, minWidth: 13, cell: fitText },
  ]
}

/** Of a GPU with memory of its own both parts are needed, each in its place. */
function wholeOf({ need }: PlanRow, budget: ShownPlan['budget']): number {
  const isApart = budget.gpu !== null && !budget.gpu.sharesMemory
  return isApart ? need.gpuBytes + need.hostBytes : need.totalBytes
}

function fitText({ fit }: PlanRow): string {
  if (fit.kind === 'fits') {
    return `yes, ${formatBytes(Math.min(fit.spareBytes, fit.gpuSpareBytes ?? Infinity))} left`
  }
  const { memoryShortBytes, gpuShortBytes } = fit
  const memory = memoryShortBytes > 0 ? [`${formatBytes(memoryShortBytes)} short`] : []
  const gpu = gpuShortBytes > 0 ? [`${formatBytes(gpuShortBytes)} short on the GPU`] : []
  return `no, ${[...memory, ...gpu].join(', ')}`
}

function dyed(line: string, row: PlanRow | undefined, paint: Paint): string {
  if (row === undefined) return line
  if (row.chosen) return row.fit.kind === 'fits' ? paint.strong(line) : paint.bad(line)
  return row.fit.kind === 'fits' ? line : paint.dim(line)
}

type Fact = readonly [label: string, text: string]

function facts(shown: ShownPlan): readonly Fact[] {
  const { memory } = shown.budget
  const source = {
    physical: 'in this machine',
    config: 'by memory.budget',
    asked: 'asked for',
  }[memory.source]
  const less = `less ${formatBytes(memory.reserveBytes)} for other apps (memory.reserve)`
  return [
    ['model', shown.modelFile],
    [
      'memory',
      `${formatBytes(memory.totalBytes)} ${source}, ${less}: ${formatBytes(memory.usableBytes)} may be used`,
    ],
    ['gpu', gpuText(shown)],
    ['slots', `${shown.slots}, each with the whole context (model.slots)`],
  ]
}

function gpuText({ gpu, budget }: ShownPlan): string {
  if (gpu.kind === 'none') return 'none: everything is computed on the host'
  const limit = budget.gpu
  if (limit === null || limit.limitBytes === null || limit.usableBytes === null) {
    const reason = gpu.kind === 'unknown' ? gpu.reason : 'it did not say'
    return `limit unknown, so nothing is held against it: ${reason}`
  }
  const source = gpu.kind === 'found' ? `${gpu.name}, by llama-server --list-devices` : 'asked for'
  const shared = limit.sharesMemory ? ', out of the same memory' : ''
  return `${formatBytes(limit.limitBytes)} (${source}), less ${formatBytes(limit.reserveBytes)} for the screen: ${formatBytes(limit.usableBytes)} may be used${shared}`
}

function outcome({ plan, contextTokens }: ShownPlan, paint: Paint): readonly string[] {
  const { chosen, nearest } = plan
  const why =
    contextTokens !== 'auto'
      ? 'as asked for'
      : nearest === null
        ? 'the longest that fits, up to 65536 (model.contextTokens = "auto")'
        : 'the shortest that "auto" takes'
  const line = `${paint.strong('*')} ${chosen.contextTokens} tokens, cache ${chosen.cacheType}: ${why}`
  return [
    line,
    `  ${partsText(chosen)}`,
    ...(nearest === null ? [] : [nearestText(nearest, paint)]),
  ]
}

function partsText({ need: { gpu, host, sharedBytes } }: PlanRow): string {
  const parts: readonly Fact[] = [
    ['model', formatBytes(gpu.weightBytes + host.weightBytes - sharedBytes)],
    ['cache', formatBytes(gpu.cacheBytes + host.cacheBytes)],
    ['compute', formatBytes(gpu.computeBytes + host.computeBytes + host.outputBytes)],
    ['prompt cache at most', formatBytes(host.promptCacheBytes)],
    ['checkpoints at most', formatBytes(host.checkpointBytes)],
    ['program', formatBytes(host.processBytes)],
  ]
  return parts.map(([name, size]) => `${name} ${size}`).join(', ')
}

function nearestText(nearest: NonNullable<ShownPlan['plan']['nearest']>, paint: Paint): string {
  const words = nearest.map(wordsOf).join(', or ')
  const text = words === '' ? 'No setting makes it fit' : `It does not fit. What does: ${words}`
  return paint.warn(text)
}

function notes({ plan, engine }: ShownPlan): readonly string[] {
  const { uncounted } = plan.chosen.need
  return [
    ...(plan.overridden
      ? ['engine.extraArgs set the context or the cache themselves: they win over the config']
      : []),
    ...(uncounted.length === 0 ? [] : [`Not counted: what ${uncounted.join(', ')} adds or moves`]),
    ...(engine.age === 'older'
      ? [
          'This engine is an older one: it computes in larger buffers than the one that oss20bd builds',
        ]
      : []),
  ]
}
