/** What was measured, as tables and sentences for a person. Pure. */
import { formatBytes, formatDuration } from '../../units.ts'
import type { Paint } from '../paint.ts'
import { type Column, renderTable } from '../table.ts'
import type { BenchFigures, DepthFigures, ParallelFigures } from './figures.ts'
import type { Change, Comparison } from './history.ts'
import type { Expected, ExpectedAtDepth } from './verdict.ts'

type DepthRow = DepthFigures & ExpectedAtDepth

const depthColumns: readonly Column<DepthRow>[] = [
  { title: 'PROMPT', cell: ({ depthTokens }) => `${depthTokens}`, align: 'right', dropOrder: 0 },
  right('READ/S', ({ promptPerSecond }) => speed(promptPerSecond), 0),
  right('PUBLISHED', ({ publishedPromptPerSecond }) => known(publishedPromptPerSecond), 4),
  right('WRITE/S', ({ generatedPerSecond }) => speed(generatedPerSecond), 0),
  right('ROOFLINE', ({ rooflinePerSecond }) => known(rooflinePerSecond), 3),
  right('OF IT', ({ rooflineShare }) => percent(rooflineShare), 3),
  right('COLD', ({ firstToken }) => time(firstToken.coldMs), 1),
  right('WARM', ({ firstToken }) => time(firstToken.warmMs), 1),
  right('DIRECT COLD', ({ firstToken }) => time(firstToken.directColdMs), 2),
  right('DIRECT WARM', ({ firstToken }) => time(firstToken.directWarmMs), 2),
  right('DIRECT WRITE/S', ({ directGeneratedPerSecond }) => speed(directGeneratedPerSecond), 2),
]

const parallelColumns: readonly Column<ParallelFigures>[] = [
  { title: 'AT ONCE', cell: ({ requests }) => `${requests}`, align: 'right', dropOrder: 0 },
  {
    title: 'WRITE/S IN ALL',
    cell: ({ generatedPerSecond }) => speed(generatedPerSecond),
    align: 'right',
    dropOrder: 0,
  },
  {
    title: 'SLOWEST FIRST TOKEN',
    cell: ({ slowestFirstTokenMs }) => time(slowestFirstTokenMs),
    align: 'right',
    dropOrder: 1,
  },
]

export interface ShownBench {
  readonly figures: BenchFigures
  readonly expected: Expected
  /** null for the first run of its kind. */
  readonly comparison: Comparison | null
}

export function renderBench(shown: ShownBench, paint: Paint, width: number): readonly string[] {
  const { figures, expected, comparison } = shown
  const rows = figures.depths.flatMap((depth, index) => {
    const beside = expected.depths[index]
    return beside === undefined ? [] : [{ ...depth, ...beside }]
  })
  return [
    ...headOf(figures, paint),
    '',
    ...titled(renderTable(depthColumns, rows, width), paint),
    paint.dim('READ, WRITE: tokens per second; COLD, WARM: time to the first token'),
    '',
    ...titled(renderTable(parallelColumns, figures.parallel, width), paint),
    ...slotsNote(figures, paint),
    '',
    memoryLine(figures),
    ...expectedLines(expected),
    ...comparisonLines(comparison, paint),
  ]
}

function headOf(figures: BenchFigures, paint: Paint): readonly string[] {
  const { model, machine, contextTokens, engineVersion, rounds, generateTokens } = figures
  const facts = [
    machine.chip ?? 'unknown chip',
    formatBytes(machine.memoryBytes),
    contextTokens === null ? null : `context ${contextTokens}`,
    engineVersion === null ? null : `engine ${engineVersion}`,
  ].filter((fact) => fact !== null)
  const test = model.testModel ? ' (the test model: its speeds say nothing of the real one)' : ''
  return [
    `${paint.strong(model.name)}${test}: ${facts.join(', ')}`,
    paint.dim(
      `Medians of ${rounds === 1 ? '1 round' : `${rounds} rounds`}, ${generateTokens} tokens generated each time`,
    ),
  ]
}

function titled([title = '', ...rows]: readonly string[], paint: Paint): readonly string[] {
  return [paint.dim(title), ...rows]
}

function slotsNote({ slots, parallel }: BenchFigures, paint: Paint): readonly string[] {
  const most = Math.max(0, ...parallel.map(({ requests }) => requests))
  if (slots === null || most <= slots) return []
  const how = slots === 1 ? 'one request' : `${slots} requests`
  return [
    paint.dim(`The engine works on ${how} at a time (model.slots); the others wait in the queue`),
  ]
}

function memoryLine({ memory }: BenchFigures): string {
  const { peakFootprintBytes, leastAvailableBytes } = memory
  const took = peakFootprintBytes === null ? 'unknown' : formatBytes(peakFootprintBytes)
  const left = leastAvailableBytes === null ? 'unknown' : formatBytes(leastAvailableBytes)
  return `Memory: the engine took at most ${took}; at least ${left} stayed available`
}

function expectedLines({
  formula,
  bandwidth,
  unknown,
  published,
  depths,
}: Expected): readonly string[] {
  const bytes = depths[0]?.bytesPerToken?.totalBytes
  const perToken =
    bytes === undefined
      ? ''
      : `; ${formatBytes(Math.round(bytes))} per token behind the first prompt`
  const roofline =
    bandwidth === null || unknown !== null
      ? `Roofline: not known, because ${unknown ?? 'nothing is known of the memory'}${perToken}`
      : `Roofline: ${formula}; ${bandwidth.bytesPerSecond / 1e9} GB/s by ${bandwidth.source}${perToken}`
  if (published === null) return [roofline, 'Published: nothing for this model on this chip']
  const { machine, source, generatedPerSecond } = published
  const writes = generatedPerSecond === null ? '' : ` ${generatedPerSecond} written per second,`
  return [
    roofline,
    `Published for ${machine}:${writes} and read as in the table, in steps of 2048 tokens where oss20bd takes 512 (${source})`,
  ]
}

function comparisonLines(comparison: Comparison | null, paint: Paint): readonly string[] {
  if (comparison === null)
    return ['History: the first run with this model and context on this machine']
  const { at, engineVersion, oss20bdVersion, slower, changes } = comparison
  const before = `the run of ${at.slice(0, 16).replace('T', ' ')} UTC (engine ${engineVersion ?? 'unknown'}, oss20bd ${oss20bdVersion})`
  if (slower.length > 0) {
    return [paint.bad(`Slower than ${before}, by more than 10 %:`), ...slower.map(changeLine)]
  }
  if (changes.length === 0) return [`History: ${before} measured nothing that was measured now`]
  return [paint.good(`Not slower than ${before}`)]
}

function changeLine({ what, beforePerSecond, nowPerSecond, share }: Change): string {
  return `  ${what}: ${speed(nowPerSecond)} per second, was ${speed(beforePerSecond)} (${Math.round(share * 100)} %)`
}

function right(
  title: string,
  cell: (row: DepthRow) => string,
  dropOrder: number,
): Column<DepthRow> {
  return { title, cell, align: 'right', dropOrder }
}

function speed(value: number | null): string {
  return value === null ? 'unknown' : value.toFixed(value < 100 ? 1 : 0)
}

/** As nothing, so that a column without any value is left out. */
function known(value: number | null): string {
  return value === null ? '' : speed(value)
}

function percent(share: number | null): string {
  return share === null ? '' : `${Math.round(share * 100)} %`
}

function time(durationMs: number): string {
  return formatDuration(durationMs)
}
