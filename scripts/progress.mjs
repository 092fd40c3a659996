/** Draws the progress of one long step: a line redrawn on a terminal, plain lines elsewhere. */
import { columnsOf, cutToColumns } from './columns.mjs'

const BAR_CELLS = 14
const TICK_MS = 1000

/**
 * @param {import('./progress.d.mts').ProgressOptions} options
 * @returns {import('./progress.d.mts').Progress}
 */
export function createProgress({
  step,
  steps,
  title,
  stream = process.stderr,
  env = process.env,
  now = () => performance.now(),
}) {
  const startedAtMs = now()
  const label = step === undefined ? title : `[${step}/${steps}] ${title}`
  const elapsed = () => formatElapsed(now() - startedAtMs)
  const screen =
    stream.isTTY === true && env.TERM !== 'dumb'
      ? terminalScreen(stream, label, elapsed, env)
      : plainScreen(stream, label, elapsed)
  let ended = false
  const end = (word, note) => {
    if (ended) return
    ended = true
    screen.end(word, note)
  }
  return {
    update(fraction, note) {
      if (!ended) screen.update(fraction === null ? null : Math.min(1, Math.max(0, fraction)), note)
    },
    done: (note) => end('done', note),
    fail: (note) => end('failed', note),
  }
}

function plainScreen(stream, label, elapsed) {
  let shownTens = 0
  stream.write(`${label}\n`)
  return {
    update(fraction) {
      const tens = fraction === null ? 0 : Math.floor(fraction * 10 + 1e-9)
      if (tens <= shownTens || tens >= 10) return
      shownTens = tens
      stream.write(`${label}  ${tens * 10} %  ${elapsed()}\n`)
    },
    end(word, note) {
      stream.write(`${label}  ${word}  ${elapsed()}${note === undefined ? '' : `  ${note}`}\n`)
    },
  }
}

function terminalScreen(stream, label, elapsed, env) {
  const unicode = speaksUtf8(env)
  const colour = env.NO_COLOR === undefined || env.NO_COLOR === ''
  // A terminal that does not know its size says 0.
  const width = () => Math.max(10, (stream.columns || 80) - 1)
  let last = { fraction: null, note: undefined }
  const draw = () =>
    stream.write(
      `\r\u001B[K${progressLine(label, elapsed(), last, { width: width(), unicode, colour })}`,
    )
  const timer = setInterval(draw, TICK_MS)
  timer.unref()
  draw()
  return {
    update(fraction, note) {
      last = { fraction, note }
      draw()
    },
    end(word, note) {
      clearInterval(timer)
      const line = [label, word, elapsed(), note].filter((part) => part !== undefined).join('  ')
      stream.write(`\r\u001B[K${cutToColumns(line, width())}\n`)
    },
  }
}

/** Parts are left out, the least needed first, until the line fits: it must never wrap. */
function progressLine(label, elapsed, { fraction, note }, { width, unicode, colour }) {
  if (fraction === null)
    return cutToColumns([label, elapsed, note].filter(Boolean).join('  '), width)
  const percent = `${String(Math.floor(fraction * 100)).padStart(3)} %`
  const tail = `${percent}  ${elapsed}`
  const room = width - tail.length - 2
  if (columnsOf(label) + 2 + BAR_CELLS > room)
    return cutToColumns(`${cutToColumns(label, room)}  ${tail}`, width)
  const start = `${label}  ${bar(fraction, unicode, colour)}  ${tail}`
  const shown = columnsOf(label) + 2 + BAR_CELLS + 2 + tail.length
  const left = width - shown - 2
  return note === undefined || left < 8 ? start : `${start}  ${cutToColumns(note, left)}`
}

function bar(fraction, unicode, colour) {
  const [full, empty] = unicode ? ['█', '░'] : ['#', '-']
  const cells = Math.round(fraction * BAR_CELLS)
  const filled = full.repeat(cells)
  return (colour ? `\u001B[36m${filled}\u001B[39m` : filled) + empty.repeat(BAR_CELLS - cells)
}

function speaksUtf8(env) {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || ''
  return locale === '' ? process.platform === 'darwin' : /utf-?8/i.test(locale)
}

function formatElapsed(ms) {
  const seconds = Math.floor(ms / 1000)
  const two = (value) => String(value).padStart(2, '0')
  const minutes = Math.floor(seconds / 60)
  return minutes < 60
    ? `${minutes}:${two(seconds % 60)}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`
}
