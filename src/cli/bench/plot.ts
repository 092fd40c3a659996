/** What was measured, as one SVG without anything from outside: speeds over the length of the prompt. Pure. */
import type { ShownBench } from './render-bench.ts'

interface Point {
  readonly x: number
  readonly y: number
}

interface Series {
  readonly name: string
  readonly kind: 'measured' | 'direct' | 'limit' | 'published'
  readonly points: readonly Point[]
}

const WIDTH = 720
const PANEL_HEIGHT = 220
const LEFT = 70
const RIGHT = 20
const TOP = 64
const GAP = 76

const STYLE = `
svg { font: 12px system-ui, sans-serif; background: #fff; color: #1b1f24 }
text { fill: currentColor } .grid { stroke: #8886 } .line { fill: none; stroke-width: 2 }
.measured { stroke: #0b62c4; fill: #0b62c4 } .direct { stroke: #6f42c1; fill: #6f42c1; stroke-dasharray: 2 3 }
.limit { stroke: #c4350b; fill: #c4350b; stroke-dasharray: 8 4 } .published { stroke: #1a7f37; fill: #1a7f37; stroke-dasharray: 5 5 }
@media (prefers-color-scheme: dark) { svg { background: #14181d; color: #e6e9ed }
.measured { stroke: #62a8ff; fill: #62a8ff } .direct { stroke: #c29bff; fill: #c29bff }
.limit { stroke: #ff8a65; fill: #ff8a65 } .published { stroke: #5fd07a; fill: #5fd07a } }`

export function plotBench({ figures, expected }: ShownBench): string {
  const title = `${figures.model.name} on ${figures.machine.chip ?? 'an unknown chip'}, ${figures.at.slice(0, 10)}`
  const panels = [
    panel('Reading the prompt, tokens per second', readSeries({ figures, expected }), 0),
    panel('Writing the answer, tokens per second', writeSeries({ figures, expected }), 1),
  ]
  const height = TOP + 2 * (PANEL_HEIGHT + GAP)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="t">`,
    `<title id="t">${escapeXml(title)}</title><style>${STYLE}</style>`,
    `<text x="${LEFT}" y="24" font-size="16">${escapeXml(title)}</text>`,
    ...panels,
    '</svg>',
    '',
  ].join('\n')
}

type Measured = Pick<ShownBench, 'figures' | 'expected'>

function readSeries({ figures, expected }: Measured): readonly Series[] {
  const { depths } = figures
  const of = pointsOver(depths.map(({ depthTokens }) => depthTokens))
  return [
    { name: 'port', kind: 'measured', points: of(depths.map((depth) => depth.promptPerSecond)) },
    {
      name: 'direct',
      kind: 'direct',
      points: of(depths.map((depth) => depth.directPromptPerSecond)),
    },
    {
      name: 'published',
      kind: 'published',
      points: of(expected.depths.map(({ publishedPromptPerSecond }) => publishedPromptPerSecond)),
    },
  ]
}

function writeSeries({ figures, expected }: Measured): readonly Series[] {
  const { depths } = figures
  const of = pointsOver(depths.map(({ depthTokens }) => depthTokens))
  const published = expected.published?.generatedPerSecond ?? null
  return [
    { name: 'port', kind: 'measured', points: of(depths.map((depth) => depth.generatedPerSecond)) },
    {
      name: 'direct',
      kind: 'direct',
      points: of(depths.map((depth) => depth.directGeneratedPerSecond)),
    },
    {
      name: 'roofline',
      kind: 'limit',
      points: of(expected.depths.map(({ rooflinePerSecond }) => rooflinePerSecond)),
    },
    // It was measured behind an empty prompt.
    {
      name: 'published',
      kind: 'published',
      points: published === null ? [] : [{ x: 0, y: published }],
    },
  ]
}

function pointsOver(xs: readonly number[]): (ys: readonly (number | null)[]) => readonly Point[] {
  return (ys) =>
    xs.flatMap((x, index) => {
      const y = ys[index] ?? null
      return y === null ? [] : [{ x, y }]
    })
}

function panel(title: string, all: readonly Series[], index: number): string {
  const series = all.filter(({ points }) => points.length > 0)
  const top = TOP + index * (PANEL_HEIGHT + GAP)
  const points = series.flatMap((one) => one.points)
  const maxX = niceAbove(Math.max(1, ...points.map(({ x }) => x)))
  const maxY = niceAbove(Math.max(1, ...points.map(({ y }) => y)))
  const place = ({ x, y }: Point): string => {
    const across = LEFT + (x / maxX) * (WIDTH - LEFT - RIGHT)
    return `${across.toFixed(1)},${(top + PANEL_HEIGHT * (1 - y / maxY)).toFixed(1)}`
  }
  return [
    `<text x="${LEFT}" y="${top - 10}">${escapeXml(title)}</text>`,
    ...axes(top, maxX, maxY),
    ...series.map((one, number) => drawn(one, place, top + 16 + number * 16)),
  ].join('\n')
}

function axes(top: number, maxX: number, maxY: number): readonly string[] {
  const steps = [0, 0.25, 0.5, 0.75, 1]
  const bottom = top + PANEL_HEIGHT
  const rows = steps.flatMap((share) => {
    const y = bottom - share * PANEL_HEIGHT
    return [
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y}" y2="${y}"/>`,
      `<text x="${LEFT - 8}" y="${y + 4}" text-anchor="end">${label(share * maxY)}</text>`,
    ]
  })
  const columns = steps.map((share) => {
    const x = LEFT + share * (WIDTH - LEFT - RIGHT)
    return `<text x="${x}" y="${bottom + 18}" text-anchor="middle">${label(share * maxX)}</text>`
  })
  const middle = (LEFT + WIDTH - RIGHT) / 2
  const under = `<text x="${middle}" y="${bottom + 36}" text-anchor="middle">tokens of the prompt</text>`
  return [...rows, ...columns, under]
}

function drawn({ name, kind, points }: Series, place: (at: Point) => string, y: number): string {
  const places = points.map(place)
  const dots = places.map((at) => {
    const [x, down] = at.split(',')
    return `<circle class="${kind}" cx="${x}" cy="${down}" r="3"/>`
  })
  const x = WIDTH - RIGHT - 100
  return [
    `<polyline class="line ${kind}" fill="none" points="${places.join(' ')}" style="fill:none"/>`,
    ...dots,
    `<line class="line ${kind}" x1="${x}" x2="${x + 24}" y1="${y - 4}" y2="${y - 4}"/>`,
    `<text x="${x + 30}" y="${y}">${name}</text>`,
  ].join('\n')
}

/** The next of 1, 2, 4, 5, 10, 20, ... */
function niceAbove(value: number): number {
  const unit = 10 ** Math.floor(Math.log10(value))
  return unit * ([1, 2, 4, 5, 10].find((step) => step * unit >= value) ?? 10)
}

function label(value: number): string {
  return String(Number(value.toPrecision(4)))
}

function escapeXml(text: string): string {
  // Control characters are no XML, not even when they are escaped.
  const printable = Array.from(text, (letter) => (letter < ' ' ? ' ' : letter)).join('')
  return printable
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
