/**
 * What reading memory costs the daemon: `npm run build`, then `node bench/memory.mjs`. This process is the daemon, and
 * a child that holds memory is the engine.
 *
 *   --seconds N   how long it samples every 2 s (default 60), and idles before that to compare
 *   --gib N       what the engine holds (default 1), in pages of 4 KiB, which are the dearest to count
 *   --engine FILE a llama-server to ask for its GPUs
 *   --root FOLDER measure the build of another checkout (default: this one)
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { cpus, loadavg } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { median, quantile } from './numbers.mjs'

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    gib: { type: 'string', default: '1' },
    engine: { type: 'string' },
    root: { type: 'string', default: join(dirname(fileURLToPath(import.meta.url)), '..') },
  },
})
const PROMISED_READING_MS = 5
const PROMISED_PERCENT = 0.3
const READINGS = 20
/** From one reading to the next every source is due again that is asked every time. */
const APART_MS = 1100

const built = join(resolve(options.root), 'dist', 'memory', 'memory-sampler.js')
if (!existsSync(built)) {
  console.error(`Cannot measure: there is no ${built}; run npm run build first`)
  process.exit(1)
}
const { createMemorySampler } = await import(pathToFileURL(built).href)

const engine = await startEngine(Number(options.gib))
try {
  console.log(
    `load ${loadavg()[0].toFixed(1)} on ${cpus().length} cores, engine of ${options.gib} GiB`,
  )
  row(
    'count of the share',
    (await countShare()).toFixed(1),
    'ms CPU',
    'in a process of its own, a thousandth of the time at most',
  )
  const first = []
  for (let round = 0; round < READINGS; round += 1)
    first.push(await cost(() => sampler().sample(20_000)))
  tell('first reading, four tools started', first)
  const steady = sampler()
  await steady.sample(20_000)
  const usual = []
  for (let round = 0; round < READINGS; round += 1) {
    await sleep(APART_MS)
    usual.push(await cost(() => steady.sample()))
  }
  tell('full reading, as every 2 s', usual, PROMISED_READING_MS)
  await measureSampling(Number(options.seconds))
} finally {
  engine.kill('SIGKILL')
}

function sampler() {
  return createMemorySampler({
    platform: process.platform,
    enginePid: () => engine.pid,
    engineFile: () => options.engine ?? null,
    diskPath: '/',
  })
}

/** Percent of one core: sampling, less what the same time costs without. */
async function measureSampling(seconds) {
  // It costs more than the readings do, so it runs in both.
  const delay = monitorEventLoopDelay({ resolution: 50 })
  delay.enable()
  const idleMs = await cost(() => sleep(seconds * 1000))
  delay.reset()
  const stop = AbortSignal.timeout(seconds * 1000)
  const sampledMs = await cost(() => sampler().run(stop))
  delay.disable()
  const percent = (sampledMs - idleMs) / seconds / 10
  row(`sampling for ${seconds} s`, percent.toFixed(3), '% CPU', verdict(percent, PROMISED_PERCENT))
  row('  without it', (idleMs / seconds / 10).toFixed(3), '% CPU', '')
  row('  event loop', (delay.max / 1e6).toFixed(1), 'ms late', 'at most')
}

/** Milliseconds of CPU of all our threads, kernel included. */
async function cost(work) {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

async function countShare() {
  if (process.platform !== 'linux') return Number.NaN
  return cost(() => readFile(`/proc/${engine.pid}/smaps_rollup`))
}

function tell(name, figures, promised) {
  const middle = median(figures)
  const spread = `90 % below ${quantile(figures, 0.9).toFixed(2)}`
  const note = promised === undefined ? spread : `${spread}, ${verdict(middle, promised)}`
  row(name, middle.toFixed(2), 'ms CPU', note)
}

function verdict(figure, promised) {
  return `promised below ${promised}: ${figure < promised ? 'kept' : 'BROKEN'}`
}

function row(name, figure, unit, note) {
  console.log(`${name.padEnd(40)} ${figure.padStart(8)} ${unit.padEnd(8)} ${note}`)
}

/** Holds `gib` GiB and says when it has them. */
async function startEngine(gib) {
  const pieces = `Array.from({ length: ${gib} * 1024 }, () => Buffer.alloc(2 ** 20, 1))`
  const program = `globalThis.held = ${pieces}; console.log('held'); setInterval(() => undefined, 1e6)`
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise((resolveHeld) => {
    child.stdout.once('data', resolveHeld)
  })
  return child
}
