/**
 * Measures what it costs the daemon to be watched: an open dashboard and `oss20bd top`, and an
 * open log tab while the engine prints 10,000 lines a second. Needs Chromium, and `script` for a terminal.
 */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import http from 'node:http'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { post, startBenchDaemon, startReference } from './bench-daemon.mjs'
import { cpuSeconds, median } from './numbers.mjs'
import { watchStreams } from './stream-watch.mjs'

const SETTLE_MS = 3000
const LINES_PER_SECOND = 10_000
/** test/fixtures/bench-engine.mjs: one line in 20 is debug, which is logged only when asked for. */
const LOGGED_SHARE = 0.95
const WAIT_MS = 30_000

const executablePath = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
].find((file) => file !== undefined && existsSync(file))

/** As those of supervision.mjs: name to `run` and `rows`. */
export const WATCHING = {
  'watching-cpu': { run: whenThereIsChromium(measureCpu), rows: cpuRows },
  'watching-log': { run: whenThereIsChromium(measureLog), rows: logRows },
}

function whenThereIsChromium(measure) {
  return async (options) => {
    if (executablePath === undefined) return { leftOut: 'no Chromium; name one in CHROMIUM' }
    // Loaded here: the other measurements need no browser.
    const { chromium } = await import('playwright-core')
    const daemon = await startBenchDaemon({ root: options.root })
    const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
    try {
      return await measure({ ...options, daemon, browser })
    } finally {
      await browser.close()
      await daemon.stop()
    }
  }
}

async function openDashboard({ daemon, browser }) {
  const link = JSON.parse(await askControl(daemon, '/dashboard-link')).url
  const page = await browser.newPage()
  await page.goto(link)
  await page.locator('#said', { hasText: 'Unlocked' }).waitFor()
  await page.locator('#state-word', { hasText: 'ready' }).waitFor()
  return page
}

function askControl(daemon, path) {
  const socketPath = join(dirname(daemon.logs), 'run', 'control.sock')
  return new Promise((resolve, reject) => {
    const request = http.request({ socketPath, path, method: 'POST' }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk) => (text += chunk))
      response.on('end', () => resolve(text))
    })
    request.on('error', reject)
    request.end()
  })
}

// ------------------------------------------------------------------------- a dashboard and top

/** All that the daemon does then: nobody asks, so that nothing hides what watching costs. */
async function measureCpu({ root, quick, daemon, browser }) {
  const seconds = quick ? 20 : 60
  const alone = await cpuPercent(daemon.pid, seconds)
  const page = await openDashboard({ daemon, browser })
  const dashboard = await cpuPercent(daemon.pid, seconds)
  const top = startTop(root, daemon)
  try {
    const both = await cpuPercent(daemon.pid, seconds)
    if (top.exitCode !== null) throw new Error(`oss20bd top ended with ${top.exitCode}`)
    return { alone, dashboard, both }
  } finally {
    if (top.exitCode === null) process.kill(-Number(top.pid), 'SIGTERM')
    await page.close()
  }
}

async function cpuPercent(pid, seconds) {
  await sleep(SETTLE_MS)
  const before = cpuSeconds(pid)
  const startedAt = performance.now()
  await sleep(seconds * 1000)
  return ((cpuSeconds(pid) - before) / ((performance.now() - startedAt) / 1000)) * 100
}

/** In a terminal of its own. */
function startTop(root, daemon) {
  const command = [process.execPath, join(root, 'bin', 'oss20bd'), 'top']
  const args =
    process.platform === 'darwin'
      ? ['-q', '/dev/null', ...command]
      : ['-qfc', command.map((word) => `'${word}'`).join(' '), '/dev/null']
  const home = dirname(daemon.logs)
  return spawn('script', args, {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    env: { PATH: process.env.PATH, HOME: home, OSS20BD_HOME: home, TERM: 'xterm-256color' },
  })
}

function cpuRows(figures) {
  const of = (key) => figures.map((figure) => figure[key])
  return [
    row('CPU of the daemon, a dashboard open', '%', of('dashboard')),
    row('CPU of the daemon, a dashboard and top open', '%', of('both'), {
      below: 2,
      note: `${median(of('alone')).toFixed(2)} unwatched`,
    }),
  ]
}

// ------------------------------------------------------------------------------------ a log tab

async function measureLog({ quick, daemon, browser }) {
  const page = await openDashboard({ daemon, browser })
  await page.locator('#log summary').click()
  await page.locator('#log .line').first().waitFor()
  const reference = await startReference('pipe', daemon.engine.socketPath)
  try {
    const figure = await measureFlood({ daemon, reference, seconds: quick ? 5 : 10 })
    const isAll = (lines) => lines >= figure.logged
    const inFile = await settled(() => linesInFile(daemon.logs), isAll)
    const notShown = await settled(
      () => notShownOf(page),
      (lines) => lines > 0,
    )
    return { ...figure, inFile, notShown }
  } finally {
    reference.stop()
  }
}

/** A byte pipe in a process of its own tells what the machine itself does to a loop meanwhile. */
async function measureFlood({ daemon, reference, seconds }) {
  const pipe = { host: '127.0.0.1', port: reference.first.port }
  const streams = watchStreams({ direct: daemon.engine, port: daemon.port, pipe })
  const [{ pid }] = daemon.spawns().slice(-1)
  await streams.untilChunks(pid, 5)
  const sides = [daemon, reference]
  await Promise.all(sides.map(({ probe }) => probe({ do: 'start' })))
  const order = { rate: LINES_PER_SECOND, seconds }
  const sent = JSON.parse(await post(daemon.engine, '/bench/lines', order))
  const [delay, pipeDelay] = await Promise.all(sides.map(({ probe }) => probe({ do: 'stop' })))
  const { port: stream, pipe: pipeStream } = await streams.stop()
  const logged = Math.round(sent.lines * LOGGED_SHARE)
  const linesPerSecond = sent.lines / sent.seconds
  return { delay, pipeDelay, stream, pipeStream, printed: sent.lines, linesPerSecond, logged }
}

/** Of those that it printed when told to. */
function linesInFile(logs) {
  const files = readdirSync(logs).filter((file) => /^engine\d*\.log$/.test(file))
  const texts = files.map((file) => readFileSync(join(logs, file), 'utf8'))
  return texts
    .join('')
    .split('\n')
    .filter((line) => line.includes('prompt processing progress')).length
}

async function notShownOf(page) {
  const words = await page.locator('#log-words').textContent()
  return Number(/^[\d,]+/.exec(words)?.[0].replaceAll(',', '') ?? 0)
}

/** The value once it is so, or as it is after some time. */
async function settled(read, isSo) {
  const until = performance.now() + WAIT_MS
  await sleep(SETTLE_MS)
  for (;;) {
    const value = await read()
    if (isSo(value) || performance.now() > until) return value
    await sleep(100)
  }
}

function logRows(figures) {
  const of = (pick) => figures.map(pick)
  const sum = (pick) => of(pick).reduce((all, one) => all + one, 0)
  const rate = median(of((one) => one.linesPerSecond)).toFixed(0)
  const pipe = (pick) => `a byte pipe beside it ${median(of(pick)).toFixed(1)}`
  const [printed, logged] = [sum((one) => one.printed), sum((one) => one.logged)]
  const [inFile, notShown] = [sum((one) => one.inFile), sum((one) => one.notShown)]
  return [
    row(
      'loop delay p99, 10,000 lines/s and a log tab',
      'ms',
      of(({ delay }) => delay.p99Ms),
      {
        below: 20,
        note: `${pipe(({ pipeDelay }) => pipeDelay.p99Ms)}; ${rate} lines/s`,
      },
    ),
    row(
      'stream delay p99, the same',
      'ms',
      of(({ stream }) => stream.addedP99Ms),
      {
        below: 20,
        note: pipe(({ pipeStream }) => pipeStream.addedP99Ms),
      },
    ),
    row('lines that engine.log lacks', 'lines', [logged - inFile], {
      below: 1,
      note: `${printed} printed, ${logged} at the level that is logged`,
    }),
    row('lines left out for the viewer, counted', 'lines', [notShown], {
      note: `${logged - notShown} shown`,
    }),
  ]
}

/** `value` is the median of the runs; `below` the goal. */
function row(name, unit, runs, { below, note } = {}) {
  const value = median(runs)
  const goal = below === undefined ? null : `< ${below} ${unit}`
  return { name, value, unit, goal, ok: below === undefined ? null : value < below, runs, note }
}
