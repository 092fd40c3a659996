/** The plots, with a dashed line at each restart of the engine. */
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import type { HistoryAnswer } from '../src/daemon/dashboard/feed-protocol.ts'
import type { Sample } from '../src/daemon/dashboard/sample.ts'
import { find, make, setText } from './dom.ts'
import { type PlotPlan, plans } from './plot-plans.ts'
import { Series } from './series.ts'
import { clockTime } from './words.ts'

const HEIGHT = 150
const MINUTE_MS = 60_000

/** Told apart in light and in dark, and by people who do not see red and green; as in the style sheet. */
const colours = ['#2f86d6', '#d98200', '#7d8a83'] as const

interface Shown {
  readonly plan: PlotPlan
  readonly figure: HTMLElement
  readonly plot: uPlot
  /** The value of each line, at the cursor or the newest. */
  readonly values: readonly HTMLElement[]
}

const series = new Series()
const holder = find('#plots', HTMLElement)
const span = find('#span', HTMLSelectElement)
const restartWords = find('#restarts', HTMLElement)
const unmeasured = find('#unmeasured', HTMLElement)
let shown: readonly Shown[] = []

export function beginPlots(): void {
  shown = plans.map(draw)
  span.addEventListener('change', () => void loadHistory())
  new ResizeObserver(() => {
    for (const { plot, figure } of shown) plot.setSize({ width: widthOf(figure), height: HEIGHT })
  }).observe(holder)
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw)
  document.addEventListener('visibilitychange', redraw)
}

/** All of it: at first, after the connection was lost, and when another span is chosen. */
export async function loadHistory(): Promise<void> {
  const answer = await fetch(`history?minutes=${span.value}`).catch(() => null)
  if (answer?.ok !== true) return
  const history: HistoryAnswer = await answer.json()
  series.replace(history)
  redraw()
}

export function addSample(sample: Sample): void {
  series.add(sample, spanMs())
  redraw()
}

function spanMs(): number {
  return Number(span.value) * MINUTE_MS
}

function redraw(): void {
  if (document.hidden) return
  const times = series.times()
  const untilS = times.at(-1) ?? Date.now() / 1000
  // What is not known yet takes no place, but the axis is never shorter than a minute.
  const fromS = Math.min(Math.max(times[0] ?? 0, untilS - spanMs() / 1000), untilS - 60)
  for (const each of shown) redrawOne(each, times, { min: fromS, max: untilS })
  const unknown = shown.filter(({ figure }) => figure.hidden).map(({ plan }) => plan.title)
  setText(unmeasured, unknown.length === 0 ? '' : `Not measured yet: ${unknown.join(', ')}`)
  setText(restartWords, restartsInWords(series.restarts().filter((atS) => atS >= fromS)))
}

function redrawOne(
  { plan, figure, plot, values }: Shown,
  times: number[],
  range: { readonly min: number; readonly max: number },
): void {
  const lines = plan.lines.map(({ name, scale }) => series.values(name, scale))
  figure.hidden = lines.every((line) => line.every((value) => value === null))
  if (figure.hidden) return
  plot.setData([times, ...lines], false)
  plot.setScale('x', range)
  const newest = lines.map((line) => line.findLast((value) => value !== null) ?? null)
  if (plot.cursor.idx == null) showValues(values, newest)
  const told = plan.lines.map(({ label }, at) => `${label} ${numberText(newest[at] ?? null)}`)
  plot.root.setAttribute('aria-label', `${titleOf(plan)}, over time. Now: ${told.join(', ')}`)
}

function restartsInWords(restarts: readonly number[]): string {
  if (restarts.length === 0) return 'The engine was not restarted in this time.'
  const newest = restarts.slice(-3).map((atS) => clockTime(atS * 1000))
  const times = restarts.length === 1 ? 'once' : `${restarts.length} times`
  const last = restarts.length > 3 ? ', at last at' : ', at'
  return `The engine was restarted ${times}${last} ${newest.join(', ')} (dashed lines).`
}

function titleOf({ title, unit }: PlotPlan): string {
  return unit === '' ? title : `${title}, ${unit}`
}

function draw(plan: PlotPlan): Shown {
  const figure = make('figure')
  const legend = make('ul', '', 'legend')
  const values = plan.lines.map(({ label }, index) => {
    const item = make('li', `${label} `, `line-${index}`)
    const value = make('span', '–')
    item.append(value)
    legend.append(item)
    return value
  })
  figure.append(make('figcaption', titleOf(plan)), legend)
  holder.append(figure)
  const plot = new uPlot(
    optionsOf(plan, widthOf(figure), values),
    [[], ...plan.lines.map(() => [])],
    figure,
  )
  plot.root.setAttribute('role', 'img')
  plot.root.setAttribute('aria-label', titleOf(plan))
  return { plan, figure, plot, values }
}

const looks: Readonly<Record<'lines' | 'dots' | 'steps', Partial<uPlot.Series>>> = {
  lines: { points: { size: 4 } },
  dots: { points: { show: true, size: 6 } },
  steps: { points: { show: false }, ...steppedPaths() },
}

function steppedPaths(): Partial<uPlot.Series> {
  const paths = uPlot.paths.stepped?.({ align: 1 })
  return paths === undefined ? {} : { paths }
}

function optionsOf(
  { lines, drawn }: PlotPlan,
  width: number,
  values: readonly HTMLElement[],
): uPlot.Options {
  const axis: uPlot.Axis = {
    stroke: () => colourOf('--quiet'),
    grid: { stroke: () => colourOf('--line'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui, sans-serif',
  }
  const times: uPlot.Axis = {
    ...axis,
    size: 24,
    space: 60,
    values: (_plot, splits) => splits.map((atS) => clockTime(atS * 1000).slice(0, 5)),
    incrs: [60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400],
  }
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false } },
    scales: { y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.1 : 1] } },
    axes: [times, { ...axis, size: 42 }],
    series: [
      {},
      ...lines.map(({ label }, index) => ({
        label,
        stroke: colours[index] ?? colours[0],
        width: 2,
        ...looks[drawn ?? 'lines'],
      })),
    ],
    hooks: { draw: [markRestarts], setCursor: [(plot) => showAtCursor(plot, values)] },
  }
}

function showAtCursor({ cursor: { idx }, data }: uPlot, values: readonly HTMLElement[]): void {
  if (idx == null) return
  showValues(
    values,
    values.map((_value, line) => data[line + 1]?.[idx] ?? null),
  )
}

function showValues(places: readonly HTMLElement[], values: readonly (number | null)[]): void {
  for (const [at, place] of places.entries()) setText(place, numberText(values[at] ?? null))
}

function numberText(value: number | null): string {
  if (value === null) return '–'
  if (Number.isInteger(value) || value >= 100) return String(Math.round(value))
  return value.toFixed(value < 1 ? 2 : 1)
}

function markRestarts(plot: uPlot): void {
  const { ctx, bbox } = plot
  const half = 4 * devicePixelRatio
  ctx.save()
  ctx.strokeStyle = colourOf('--bad')
  ctx.fillStyle = colourOf('--bad')
  ctx.lineWidth = devicePixelRatio
  ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio])
  for (const atS of series.restarts()) {
    const x = plot.valToPos(atS, 'x', true)
    const foot = bbox.top + bbox.height
    if (x < bbox.left || x > bbox.left + bbox.width) continue
    ctx.beginPath()
    ctx.moveTo(x, bbox.top)
    ctx.lineTo(x, foot)
    ctx.stroke()
    // On the axis of time, where one looks for when it was.
    ctx.beginPath()
    ctx.moveTo(x, foot - half)
    ctx.lineTo(x - half, foot + half)
    ctx.lineTo(x + half, foot + half)
    ctx.fill()
  }
  ctx.restore()
}

/** A canvas knows no `light-dark()`: asked of an element it is a colour. */
function colourOf(name: string): string {
  probe.style.color = `var(${name})`
  return getComputedStyle(probe).color
}

const probe = make('span', '', 'hidden')
document.body.append(probe)

/** Hidden ones have no width of their own. */
function widthOf(figure: HTMLElement): number {
  const columns = getComputedStyle(holder).gridTemplateColumns.split(' ')
  return Math.max(200, figure.clientWidth || Number.parseFloat(columns[0] ?? '0'))
}
