/**
 * Measures what the supervisor promises: how soon a dead engine is replaced, what an engine that logs much costs, and
 * that neither holds up the event loop or a stream through the port. The real daemon as it is started in the
 * background, a stand-in for the engine (test/fixtures/bench-engine.mjs), a home of its own for each measurement.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  post,
  stampDelayMs,
  startBareRespawn,
  startBenchDaemon,
  startReference,
} from './bench-daemon.mjs'
import { cpuSeconds, median, quantile } from './numbers.mjs'
import { watchStreams } from './stream-watch.mjs'
import { WATCHING } from './watching.mjs'

export { cleanUpNow } from './bench-daemon.mjs'

const CALM_MS = 500
/** What follows an exit off the hot path (evidence, journal) is over by then. */
const SETTLE_MS = 1000

/**
 * Name to what it measures: `run` one round to its figures, `rows` the figures of all rounds to rows of the table.
 * @type {Record<string, { run: Function, rows: Function }>}
 */
export const SUPERVISION = {
  respawn: { run: measureRespawn, rows: respawnRows },
  'log-cpu': { run: measureLogCpu, rows: logCpuRows },
  'loop-idle': loop('idle', beIdle),
  'loop-lines': loop('10,000 lines/s', logLines),
  'loop-flood': loop('flood on both pipes', flood),
  'loop-line': loop('10 MB lines', longLines),
  'loop-crashes': loop('crash loop', (context) => crashLoop(context, context.quick ? 10 : 40)),
  'loop-disk': loop('crash loop, logs on a full disk', fullDisk, { logsOnSmallDisk: true }),
  ...WATCHING,
}

/**
 * Measures each of `names` in turn, `rounds` times over. `profiles` is a folder for CPU profiles of the daemon, or
 * undefined; they slow it down. Resolves to `{ rows, figures }`.
 */
export async function measureSupervision({ root, names, rounds, quick, profiles, tell }) {
  const figures = Object.fromEntries(names.map((name) => [name, []]))
  const leftOut = {}
  if (profiles !== undefined) mkdirSync(profiles, { recursive: true })
  for (let round = 1; round <= rounds; round += 1) {
    for (const name of names) {
      tell(`${name}, round ${round} of ${rounds}`)
      const profile =
        profiles === undefined ? undefined : join(profiles, `${name}-${round}.cpuprofile`)
      const figure = await SUPERVISION[name].run({ root, quick, profile })
      if (figure.leftOut === undefined) figures[name].push(figure)
      else leftOut[name] = figure.leftOut
    }
  }
  const rows = names.flatMap((name) =>
    leftOut[name] === undefined
      ? SUPERVISION[name].rows(figures[name])
      : [{ name, leftOut: leftOut[name] }],
  )
  return { rows, figures }
}

/** Runs `work` with a daemon; with `profile` writes a CPU profile of the daemon during the work. */
async function withDaemon({ root, profile, logsOnSmallDisk }, work) {
  const daemon = await startBenchDaemon({ root, logsOnSmallDisk })
  try {
    await sleep(SETTLE_MS)
    if (profile !== undefined) await daemon.probe({ do: 'profile-start' })
    const result = await work(daemon)
    if (profile !== undefined) await daemon.probe({ do: 'profile-stop', file: profile })
    return result
  } finally {
    await daemon.stop()
  }
}

// ------------------------------------------------------------------------------- exit to next spawn

/** From the SIGKILL that we send to the time that the next engine process writes down first thing. */
async function measureRespawn({ root, quick, profile }) {
  const deaths = quick ? 10 : 40
  return withDaemon({ root, profile }, async (daemon) => {
    const bare = await startBareRespawn()
    try {
      const ours = []
      const bareMs = []
      for (let death = 1; death <= deaths; death += 1) {
        ours.push(await killOne(daemon, death))
        bareMs.push((await killOne(bare, death)).respawnMs)
      }
      await daemon.untilAnswer()
      // How much of it passed until the daemon had told of the exit; its journal knows whole ms.
      const exits = daemon.events().filter(({ kind }) => kind === 'exit')
      const toldMs = exits.map(({ at }, index) => Date.parse(at) - ours[index].killedAtMs)
      const stampMs = median(Array.from({ length: 20 }, stampDelayMs))
      return { respawnMs: ours.map(({ respawnMs }) => respawnMs), bareMs, toldMs, stampMs }
    } finally {
      bare.stop()
    }
  })
}

async function killOne(side, death) {
  await side.untilAnswer()
  const [{ pid }] = side.spawns().slice(-1)
  const killedAtMs = killAtTurnOfMs(pid)
  const { atMs } = await side.untilSpawn(death + 1)
  return { killedAtMs, respawnMs: atMs - killedAtMs }
}

/** In the instant in which the clock ticks, so that its whole ms are exact. */
function killAtTurnOfMs(pid) {
  const beforeMs = Date.now()
  while (Date.now() === beforeMs);
  process.kill(pid, 'SIGKILL')
  return beforeMs + 1
}

function respawnRows(figures) {
  const all = figures.flatMap(({ respawnMs }) => respawnMs)
  const bare = figures.flatMap(({ bareMs }) => bareMs)
  const [bareP50, bareP95, stamp, max] = [
    quantile(bare, 0.5),
    quantile(bare, 0.95),
    median(figures.map(({ stampMs }) => stampMs)),
    quantile(all, 1),
  ].map((ms) => ms.toFixed(1))
  const runs = (key, q) => figures.map((figure) => quantile(figure[key], q))
  return [
    row('SIGKILL to next spawn p50', 'ms', runs('respawnMs', 0.5), {
      value: quantile(all, 0.5),
      note: `a bare respawn in Node beside it ${bareP50}`,
    }),
    row('SIGKILL to next spawn p95', 'ms', runs('respawnMs', 0.95), {
      value: quantile(all, 0.95),
      below: 50,
      note: `bare ${bareP95}; ${all.length} deaths, max ${max}; ${stamp} of each is the stamp`,
    }),
    row('SIGKILL to exit told p50', 'ms', runs('toldMs', 0.5)),
    row('SIGKILL to exit told p95', 'ms', runs('toldMs', 0.95)),
  ]
}

// ------------------------------------------------------------------------------ CPU of log reading

async function measureLogCpu({ root, quick, profile }) {
  return withDaemon({ root, profile }, async (daemon) => {
    const figure = {}
    for (const rate of [1000, 10_000]) {
      await sleep(SETTLE_MS)
      const cpuBefore = cpuSeconds(daemon.pid)
      const startedAt = performance.now()
      const sent = await order(daemon, '/bench/lines', { rate, seconds: quick ? 4 : 10 })
      const seconds = (performance.now() - startedAt) / 1000
      figure[rate] = {
        linesPerSecond: sent.lines / sent.seconds,
        percentOfOneCore: ((cpuSeconds(daemon.pid) - cpuBefore) / seconds) * 100,
      }
    }
    return figure
  })
}

function logCpuRows(figures) {
  return [1000, 10_000].map((rate) => {
    const reached = median(figures.map((figure) => figure[rate].linesPerSecond))
    return row(
      `CPU at ${rate.toLocaleString('en')} lines/s`,
      '%',
      figures.map((figure) => figure[rate].percentOfOneCore),
      {
        below: rate === 10_000 ? 25 : undefined,
        note: `${reached.toFixed(0)} lines/s were printed`,
      },
    )
  })
}

// -------------------------------------------------------------------- event loop and stream delays

/** A measurement of the daemon's event loop, and of a stream through its port, during `work`. */
function loop(title, work, { logsOnSmallDisk = false } = {}) {
  return {
    run: (options) => measureLoop({ ...options, logsOnSmallDisk }, work),
    rows: (figures) => loopRows(title, figures),
  }
}

async function measureLoop({ root, quick, profile, logsOnSmallDisk }, work) {
  if (logsOnSmallDisk && (process.platform !== 'linux' || process.getuid() !== 0))
    return { leftOut: 'a small disk can be made by root on Linux only' }
  return withDaemon({ root, profile, logsOnSmallDisk }, async (daemon) => {
    const reference = await startReference('pipe', daemon.engine.socketPath)
    try {
      return await watchLoops({ daemon, reference, quick }, work)
    } finally {
      reference.stop()
    }
  })
}

async function watchLoops({ daemon, reference, quick }, work) {
  const pipe = { host: '127.0.0.1', port: reference.first.port }
  const streams = watchStreams({ direct: daemon.engine, port: daemon.port, pipe })
  const [{ pid }] = daemon.spawns().slice(-1)
  await streams.untilChunks(pid, 5)
  const sides = [daemon, reference]
  await Promise.all(sides.map(({ probe }) => probe({ do: 'start' })))
  const startedAt = performance.now()
  const cpuBefore = cpuSeconds(daemon.pid)
  const did = await work({ daemon, streams, quick })
  const seconds = (performance.now() - startedAt) / 1000
  const cpuPercent = ((cpuSeconds(daemon.pid) - cpuBefore) / seconds) * 100
  const [delay, pipeDelay] = await Promise.all(sides.map(({ probe }) => probe({ do: 'stop' })))
  const { port: stream, pipe: pipeStream } = await streams.stop()
  return { seconds, cpuPercent, delay, pipeDelay, stream, pipeStream, did }
}

function loopRows(title, figures) {
  const max = (key, of) => Math.max(...figures.map((figure) => figure[key][of])).toFixed(1)
  const runs = (key, of) => figures.map((figure) => figure[key][of])
  const chunks = runs('stream', 'chunks').reduce((sum, count) => sum + count, 0)
  const pipe = (key, of) => `a byte pipe beside it ${median(runs(key, of)).toFixed(1)}`
  return [
    row(`loop delay p99, ${title}`, 'ms', runs('delay', 'p99Ms'), {
      below: 20,
      note: `${pipe('pipeDelay', 'p99Ms')}; max ${max('delay', 'maxMs')}, ${max('pipeDelay', 'maxMs')}`,
    }),
    row(`stream delay p99, ${title}`, 'ms', runs('stream', 'addedP99Ms'), {
      below: 20,
      note: `${pipe('pipeStream', 'addedP99Ms')}; max ${max('stream', 'addedMaxMs')}, ${max('pipeStream', 'addedMaxMs')}; ${chunks} chunks`,
    }),
  ]
}

async function beIdle({ quick }) {
  await sleep(quick ? 3000 : 5000)
}

function logLines({ daemon, quick }) {
  return order(daemon, '/bench/lines', { rate: 10_000, seconds: quick ? 3 : 10 })
}

async function flood({ daemon, quick }) {
  const sent = await order(daemon, '/bench/flood', { bytes: quick ? 50e6 : 200e6 })
  await sleep(CALM_MS)
  return sent
}

async function longLines({ daemon, quick }) {
  for (let index = 0; index < (quick ? 2 : 5); index += 1) {
    await order(daemon, '/bench/long-line', { bytes: 10e6 })
    await sleep(CALM_MS)
  }
}

/** Kills each engine once it streams again through the port. */
async function crashLoop({ daemon, streams }, deaths) {
  for (let death = 1; death <= deaths; death += 1) {
    const [{ pid }] = daemon.spawns().slice(-1)
    await streams.untilChunks(pid, 5)
    process.kill(pid, 'SIGKILL')
    await daemon.untilSpawn(death + 1)
  }
  const [{ pid }] = daemon.spawns().slice(-1)
  await streams.untilChunks(pid, 5)
}

async function fullDisk(context) {
  const { daemon, quick } = context
  daemon.fillDisk()
  await crashLoop(context, quick ? 5 : 15)
  await order(daemon, '/bench/lines', { rate: 10_000, seconds: quick ? 2 : 5 })
}

/** Tells the engine what to print; resolves when it has. */
async function order(daemon, path, body) {
  return JSON.parse(await post(daemon.engine, path, body))
}

/** `value` is the median of the runs unless given; `below` the goal. */
function row(name, unit, runs, { value = median(runs), below, note } = {}) {
  const goal = below === undefined ? null : `< ${below} ${unit}`
  return { name, value, unit, goal, ok: below === undefined ? null : value < below, runs, note }
}
