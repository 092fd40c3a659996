/** The plots, with a dashed line at each restart of the engine. */
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import type { HistoryAnswer } from '../src/daemon/dashboard/feed-protocol.ts'
import type { Sample, SampleField } from '../src/daemon/dashboard/sample.ts'
import { find, make } from './dom.ts'
import { Series } from './series.ts'

const GIB = 2 ** 30
const HEIGHT = 180
const MINUTE_MS = 60_000

interface Line {
  readonly name: SampleField
  readonly label: string
  readonly scale: number
}
interface PlotPlan {
  readonly title: string
  readonly lines: readonly Line[]
}

const plans: readonly PlotPlan[] = [
  {
    title: 'Memory of the engine against the budget, GiB',
    lines: [
      { name: 'footprintBytes', label: 'Taken', scale: 1 / GIB },
      { name: 'budgetBytes', label: 'Budget', scale: 1 / GIB },
      { name: 'availableBytes', label: 'Available', scale: 1 / GIB },
    ],
  },
  {
    title: 'Speed, tokens/s',
    lines: [
      { name: 'generatedPerSecond', label: 'Generated', scale: 1 },
      { name: 'promptPerSecond', label: 'Prompt', scale: 1 },
    ],
  },
  {
    title: 'Time to the first byte, s',
    lines: [{ name: 'firstByteMs', label: 'Mean', scale: 1 / 1000 }],
  },
  {
    title: 'Requests',
    lines: [
      { name: 'inFlight', label: 'With the engine', scale: 1 },
      { name: 'waiting', label: 'Waiting', scale: 1 },
    ],
  },
  { title: 'Swap in use, GiB', lines: [{ name: 'swapUsedBytes', label: 'Swap', scale: 1 / GIB }] },
  {
    title: 'Memory of the GPU, GiB',
    lines: [{ name: 'gpuUsedBytes', label: 'Used', scale: 1 / GIB }],
  },
  { title: 'GPU busy, %', lines: [{ name: 'gpuUtilisation', label: 'Busy', scale: 100 }] },
]

/** Told apart in light and in dark, and by people who do not see red and green. */
const colours = ['#2f86d6', '#d98200', '#7d8a83'] as const

interface Shown {
  readonly plan: PlotPlan
  readonly plot: uPlot
  readonly nothing: HTMLElement
}

const series = new Series()
const holder = find('#plots', HTMLElement)
const span = find('#span', HTMLSelectElement)
let shown: readonly Shown[] = []

export function beginPlots(): void {
  shown = plans.map(draw)
  span.addEventListener('change', () => void loadHistory())
  new ResizeObserver(() => {
    for (const { plot } of shown) plot.setSize({ width: widthOf(plot.root), height: HEIGHT })
  }).observe(holder)
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw)
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
  for (const { plan, plot, nothing } of shown) {
    const values = plan.lines.map(({ name, scale }) => series.values(name, scale))
    nothing.hidden = values.some((line) => line.some((value) => value !== null))
    plot.root.hidden = !nothing.hidden
    plot.setData([times, ...values], false)
    plot.setScale('x', { min: fromS, max: untilS })
  }
}

function draw(plan: PlotPlan): Shown {
  const figure = make('figure')
  const nothing = make('p', 'Nothing measured yet', 'nothing')
  figure.append(make('figcaption', plan.title), nothing)
  holder.append(figure)
  const plot = new uPlot(
    optionsOf(plan, widthOf(figure)),
    [[], ...plan.lines.map(() => [])],
    figure,
  )
  plot.root.setAttribute('role', 'img')
  plot.root.setAttribute('aria-label', `${plan.title}, over time`)
  return { plan, plot, nothing }
}

function optionsOf({ lines }: PlotPlan, width: number): uPlot.Options {
  const axis: uPlot.Axis = {
    stroke: () => colourOf('--quiet'),
    grid: { stroke: () => colourOf('--line'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui, sans-serif',
  }
  return {
    width,
    height: HEIGHT,
    cursor: { y: false, drag: { x: false, y: false } },
    scales: { y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.1 : 1] } },
    axes: [axis, { ...axis, size: 42 }],
    series: [
      { label: 'Time' },
      ...lines.map(({ label }, index) => ({
        label,
        stroke: colours[index] ?? colours[0],
        width: 2,
        points: { size: 4 },
        value: (_plot: uPlot, value: number | null) => (value === null ? '–' : value.toFixed(1)),
      })),
    ],
    hooks: { draw: [markRestarts] },
  }
}

function markRestarts(plot: uPlot): void {
  const { ctx, bbox } = plot
  ctx.save()
  ctx.strokeStyle = colourOf('--bad')
  ctx.lineWidth = devicePixelRatio
  ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio])
  for (const atS of series.restarts()) {
    const x = plot.valToPos(atS, 'x', true)
    if (x < bbox.left || x > bbox.left + bbox.width) continue
    ctx.beginPath()
    ctx.moveTo(x, bbox.top)
    ctx.lineTo(x, bbox.top + bbox.height)
    ctx.stroke()
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

function widthOf(element: HTMLElement): number {
  return Math.max(
    200,
    element.parentElement === holder
      ? element.clientWidth
      : (element.parentElement?.clientWidth ?? 0),
  )
}
