/** A run as a picture: what was read, the level and what was done, over one axis of time. SVG. */
import { clockOf } from './table.mjs'
import { GIB, MIB } from './units.mjs'

const WIDTH = 960
const LEFT = 64
const RIGHT = 24
const PLOT = WIDTH - LEFT - RIGHT
const PANEL_HEIGHT = 150
const PANEL_GAP = 46
const STRIP_HEIGHT = 16
const TOP = 54
const ROW_HEIGHT = 18
const TEXT_COLUMNS = 138

const STYLE = `
  svg { --bg:#fff; --ink:#1f2328; --soft:#656d76; --grid:#d8dee4; --a:#0969da; --b:#bc4c00; --c:#8250df;
    --ok:#4ac26b; --tight:#d4a72c; --critical:#cf222e }
  @media (prefers-color-scheme: dark) {
    svg { --bg:#0d1117; --ink:#e6edf3; --soft:#9198a1; --grid:#30363d; --a:#58a6ff; --b:#f0883e; --c:#bc8cff;
      --ok:#2ea043; --tight:#bb8009; --critical:#f85149 }
  }
  text { font: 12px system-ui, sans-serif; fill: var(--ink) }
  .title { font-size: 16px; font-weight: 600 }
  .soft { fill: var(--soft) }
  .end { text-anchor: end }
  .mid { text-anchor: middle }
  .grid { stroke: var(--grid) }
  .mark { fill: none; stroke: var(--soft); stroke-dasharray: 2 3 }
  .line { fill: none; stroke-width: 1.8; stroke-linejoin: round }
  .limit { fill: none; stroke: var(--soft); stroke-dasharray: 6 4 }
  .badge { fill: var(--ink) }
  .number { fill: var(--bg); font-size: 11px; font-weight: 600; text-anchor: middle }
`

/** @type {import('./plot.d.mts').renderPlot} */
export function renderPlot(run) {
  const lastMs = Math.max(1, run.samples.at(-1).reading.atMs)
  const x = (atMs) => LEFT + (atMs / lastMs) * PLOT
  const panels = panelsOf(run)
  const stripsAt = TOP + panels.length * (PANEL_HEIGHT + PANEL_GAP) - STRIP_HEIGHT
  const strips = renderStrips(run, x, stripsAt)
  const axisAt = stripsAt + strips.height
  const actions = run.events.filter(({ kind }) => kind === 'action')
  const places = spread(actions.map(({ atMs }) => x(atMs)))
  const list = renderList(actions, axisAt + 52)
  const height = list.endsAt + 12
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    `<title>${escape(run.title)}</title>`,
    `<style>${STYLE}</style>`,
    `<rect width="${WIDTH}" height="${height}" style="fill:var(--bg)"/>`,
    label(LEFT, 24, run.title, 'title'),
    ...panels.map((panel, index) =>
      renderPanel(panel, run, x, TOP + index * (PANEL_HEIGHT + PANEL_GAP)),
    ),
    ...actions.map(({ atMs }, index) => renderMark(x(atMs), places[index], index + 1, axisAt)),
    strips.svg,
    renderTimeAxis(x, lastMs, axisAt),
    list.svg,
    '</svg>',
  ].join('\n')}\n`
}

/** Memory, and what else the run is about: a panel whose values never move is left out. */
function panelsOf({ samples, reserveBytes }) {
  const totalBytes = samples[0].reading.totalBytes
  const reserve = totalBytes === null ? reserveBytes : Math.min(reserveBytes, totalBytes / 4)
  const panels = [
    {
      title: 'Memory, GiB',
      unit: GIB,
      lines: [
        { name: 'available', of: 'availableBytes', colour: 'a' },
        { name: 'engine', of: 'footprintBytes', colour: 'b' },
      ],
      limit: { name: 'reserved', value: reserve },
    },
    {
      title: 'Swapped out, MiB/s',
      unit: MIB,
      lines: [{ name: 'rate', of: 'swapOutBytesPerSecond', colour: 'c' }],
    },
    {
      title: 'Stalled, % of the time',
      unit: 1,
      lines: [{ name: 'stalled', of: 'stalledPercent', colour: 'c' }],
    },
    {
      title: 'Free disk, GiB',
      unit: GIB,
      lines: [{ name: 'free', of: 'freeDiskBytes', colour: 'a' }],
      limit: totalBytes === null ? undefined : { name: 'half of RAM', value: totalBytes / 2 },
    },
  ]
  return panels.filter(({ lines: [{ of }] }, index) => {
    const values = samples.map(({ reading }) => reading[of]).filter((value) => value !== null)
    return index === 0 || values.some((value) => value !== values[0])
  })
}

function renderPanel({ title, unit, lines, limit }, { samples }, x, top) {
  const values = lines.flatMap(({ of }) => samples.map(({ reading }) => reading[of] ?? 0))
  const step = niceStep(Math.max(...values, limit?.value ?? 0) / unit / 4)
  const max = step * Math.max(1, Math.ceil(Math.max(...values, limit?.value ?? 0) / unit / step))
  const y = (value) => top + PANEL_HEIGHT - (value / unit / max) * PANEL_HEIGHT
  const ticks = Array.from({ length: Math.round(max / step) + 1 }, (_, index) => index * step)
  const grid = ticks.map(
    (tick) =>
      `<line class="grid" x1="${LEFT}" x2="${LEFT + PLOT}" y1="${round(y(tick * unit))}" y2="${round(y(tick * unit))}"/>` +
      label(LEFT - 8, y(tick * unit) + 4, String(Number(tick.toFixed(2))), 'soft end'),
  )
  const drawn = lines.map(
    ({ of, colour }) =>
      `<path class="line" style="stroke:var(--${colour})" d="${pathOf(samples, of, x, y)}"/>`,
  )
  const dashed =
    limit === undefined
      ? ''
      : `<path class="limit" d="M${LEFT} ${round(y(limit.value))}H${LEFT + PLOT}"/>`
  return [label(LEFT, top - 10, title), ...grid, dashed, ...drawn, legend(lines, limit, top)].join(
    '\n',
  )
}

/** Unknown values are gaps. */
function pathOf(samples, of, x, y) {
  let pen = 'M'
  return samples
    .map(({ reading }) => {
      const value = reading[of]
      const point = value === null ? '' : `${pen}${round(x(reading.atMs))} ${round(y(value))}`
      pen = value === null ? 'M' : 'L'
      return point
    })
    .join('')
}

function legend(lines, limit, top) {
  const entries = [
    ...lines.map(({ name, colour }) => ({ name, line: `stroke:var(--${colour});stroke-width:2` })),
    ...(limit === undefined
      ? []
      : [{ name: limit.name, line: 'stroke:var(--soft);stroke-dasharray:6 4' }]),
  ]
  let right = LEFT + PLOT
  const parts = entries.toReversed().map(({ name, line }) => {
    const text = label(right, top - 10, name, 'end')
    const end = right - name.length * 6.6 - 6
    right = end - 38
    return `${text}<line x1="${round(end - 22)}" x2="${round(end)}" y1="${top - 14}" y2="${top - 14}" style="${line}"/>`
  })
  return parts.join('\n')
}

/** The pressure level, ours and the state of the engine, as coloured strips. */
function renderStrips({ samples }, x, top) {
  const strips = [
    {
      name: 'pressure',
      of: ({ reading }) => reading.pressure,
      colours: { normal: 'ok', warning: 'tight', critical: 'critical' },
    },
    {
      name: 'level',
      of: ({ level }) => level,
      colours: { ok: 'ok', tight: 'tight', critical: 'critical' },
    },
    {
      name: 'engine',
      of: ({ engine }) => engine.state,
      colours: { ready: 'a', starting: 'c', stopping: 'b', asleep: 'grid', off: 'grid' },
    },
  ].filter(({ of }) => samples.some((sample) => of(sample) !== null))
  const svg = strips.map(({ name, of, colours }, index) => {
    const at = top + index * (STRIP_HEIGHT + 6)
    const bands = bandsOf(samples, of).map(({ value, fromMs, toMs }) => {
      const width = Math.max(1, x(toMs) - x(fromMs))
      const words = width > value.length * 7 + 8 ? value : ''
      return (
        `<rect x="${round(x(fromMs))}" y="${at}" width="${round(width)}" height="${STRIP_HEIGHT}" style="fill:var(--${colours[value]});fill-opacity:.45"/>` +
        label(x(fromMs) + 5, at + 12, words)
      )
    })
    return [label(LEFT - 8, at + 12, name, 'soft end'), ...bands].join('\n')
  })
  return { svg: svg.join('\n'), height: strips.length * (STRIP_HEIGHT + 6) }
}

function bandsOf(samples, of) {
  const bands = []
  for (const sample of samples) {
    const value = of(sample)
    const { atMs } = sample.reading
    const last = bands.at(-1)
    if (last !== undefined) last.toMs = atMs
    if (last?.value !== value) bands.push({ value, fromMs: atMs, toMs: atMs })
  }
  return bands.filter(({ value }) => value !== null)
}

function renderMark(at, badgeAt, number, bottom) {
  return [
    `<path class="mark" d="M${round(at)} ${TOP - 4}V${bottom}"/>`,
    `<circle class="badge" cx="${round(badgeAt)}" cy="${bottom + 34}" r="9"/>`,
    `<path class="mark" d="M${round(at)} ${bottom}V${bottom + 22}L${round(badgeAt)} ${bottom + 26}"/>`,
    label(badgeAt, bottom + 38, String(number), 'number'),
  ].join('\n')
}

/** Badges beside each other even where their moments are not. */
function spread(places) {
  let free = 0
  return places.map((place) => {
    const at = Math.max(place, free)
    free = at + 20
    return at
  })
}

function renderTimeAxis(x, lastMs, at) {
  const stepMs = niceStep(lastMs / 60_000 / 8) * 60_000
  const count = Math.floor(lastMs / stepMs) + 1
  const ticks = Array.from({ length: count }, (_, index) => index * stepMs)
  return [
    ...ticks.map((tick) => label(x(tick), at + 14, clockOf(tick), 'soft mid')),
    label(LEFT - 8, at + 38, 'min:s', 'soft end'),
  ].join('\n')
}

function renderList(actions, top) {
  let at = top
  const lines = actions.flatMap(({ atMs, message }, index) => {
    const rows = wrap(`${clockOf(atMs)}  ${message}`, TEXT_COLUMNS)
    return rows.map((row, part) => {
      at += ROW_HEIGHT
      const number = part === 0 ? label(LEFT - 24, at, `${index + 1}.`, 'end') : ''
      return number + label(LEFT - 16, at, row, part === 0 ? '' : 'soft')
    })
  })
  return { svg: lines.join('\n'), endsAt: at }
}

function wrap(text, columns) {
  const rows = ['']
  for (const word of text.split(' ')) {
    const row = rows.at(-1)
    if (row !== '' && row.length + word.length + 1 > columns) rows.push(word)
    else rows[rows.length - 1] = row === '' ? word : `${row} ${word}`
  }
  return rows
}

/** 1, 2, 5 or 10 times a power of ten, at least `rough`. */
function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(Math.max(rough, 1e-6)))
  return power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999)
}

function label(x, y, text, kind = '') {
  const name = kind === '' ? '' : ` class="${kind}"`
  return text === '' ? '' : `<text${name} x="${round(x)}" y="${round(y)}">${escape(text)}</text>`
}

function round(value) {
  return Math.round(value * 10) / 10
}

function escape(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
