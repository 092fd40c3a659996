/**
 * npm run bench: what the product promises in numbers, all sides in one run, alternating.
 * Prints a table and writes bench/results/<time>.json.
 *
 *   --only NAME[,NAME]  these parts only: status, latency, rss, crash, idle (with the real engine), and those of
 *                       supervision.mjs (with a stand-in): respawn, log-cpu, loop (all loop-...), loop-idle, ...,
 *                       and watching (what it costs to be watched, see watching.mjs)
 *                       and those of port.mjs (the real engine, beside nginx): port (all port-...), port-cpu, ...
 *   --rounds N          how often each part of supervision.mjs (default 3) and port.mjs (default 5) is measured; the
 *                       table shows medians
 *   --quick             shorter, one round of supervision.mjs, two of port.mjs
 *   --root FOLDER       measure the build of another checkout (default: this one)
 *   --profile FOLDER    write CPU profiles of the daemon there (supervision.mjs, port-cpu); see cpu-profile.mjs
 *   --latency           the added latency only, three times, and no file
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { cpus, loadavg, tmpdir } from 'node:os'
import { dirname, join, resolve as resolvePath } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { cpuSeconds, median } from './numbers.mjs'
import { cleanUpPortNow, measurePort, PORT } from './port.mjs'
import { cleanUpNow, measureSupervision, SUPERVISION } from './supervision.mjs'

const here = join(dirname(fileURLToPath(import.meta.url)), '..')
const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    root: { type: 'string', default: here },
    profile: { type: 'string' },
    latency: { type: 'boolean', default: false },
  },
})
const { quick } = options
const root = resolvePath(options.root)
const cli = join(root, 'bin', 'oss20bd')
const engineFolder = process.env.OSS20BD_TEST_ENGINE
const fromDist = (file) => import(pathToFileURL(join(root, 'dist', file)).href)

const home = mkdtempSync(join(tmpdir(), 'oss20bd-bench-'))
const port = 20_000 + (process.pid % 10_000)
const env = { ...process.env, OSS20BD_HOME: home, OSS20BD_PROXY_PORT: String(port) }
delete env.OSS20BD_TEST_ENGINE

const status = () => JSON.parse(execFileSync(process.execPath, [cli, 'status', '--json'], { env }))

/** One request; resolves with its body once it has ended. */
function ask(target, path, body, agent) {
  return new Promise((resolve, reject) => {
    const request = http.request(
      { ...target, path, agent, method: body ? 'POST' : 'GET' },
      (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk) => (text += chunk))
        response.on('end', () =>
          response.statusCode === 200
            ? resolve(text)
            : reject(new Error(`${response.statusCode} ${text}`)),
        )
        response.on('error', reject)
      },
    )
    request.on('error', reject)
    if (body) request.setHeader('content-type', 'application/json')
    request.end(body && JSON.stringify(body))
  })
}

const chat = { model: 'gpt-oss-20b', messages: [{ role: 'user', content: 'hi' }] }
const publicPort = { host: '127.0.0.1', port }

async function prepareHome() {
  mkdirSync(join(home, 'models'))
  mkdirSync(join(home, 'engines'))
  symlinkSync(engineFolder, join(home, 'engines', 'current'))
  const template = readFileSync(
    join(engineFolder, 'templates', 'openai-gpt-oss-120b.jinja'),
    'utf8',
  )
  const { writeTestModel } = await fromDist('model/test-model.js')
  await writeTestModel(join(home, 'models', 'current'), { template })
  execFileSync(process.execPath, [cli, 'start'], { env, stdio: 'inherit' })
}

function wallMs(args) {
  const startedAtMs = performance.now()
  const { status: code } = spawnSync(process.execPath, args, { env, stdio: 'ignore' })
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}`)
  return performance.now() - startedAtMs
}

function statusSpeed() {
  const plain = []
  const ours = []
  for (let round = 0; round < (quick ? 7 : 21); round += 1) {
    plain.push(wallMs(['-e', '0']))
    ours.push(wallMs([cli, 'status']))
  }
  return { nodeMs: median(plain), statusMs: median(ours), ratio: median(ours) / median(plain) }
}

async function rssAfterRequests(count) {
  const agent = new http.Agent({ keepAlive: true })
  for (let index = 0; index < count; index += 1)
    await ask(publicPort, '/v1/chat/completions', chat, agent)
  agent.destroy()
  const rssKiB = Number(
    execFileSync('ps', ['-o', 'rss=', '-p', String(status().daemon.pid)], { encoding: 'utf8' }),
  )
  return { requests: count, rssMB: (rssKiB * 1024) / 1e6 }
}

async function idleCpu() {
  const { pid } = status().daemon
  const seconds = quick ? 10 : 60
  const before = cpuSeconds(pid)
  await sleep(seconds * 1000)
  return { seconds, percentOfOneCore: ((cpuSeconds(pid) - before) / seconds) * 100 }
}

/** The engine alone: from spawn to the line that says ready. */
async function coldStartMs() {
  const { createLlamaEngine } = await fromDist('llama/llama-engine.js')
  const wanted = {
    file: join(engineFolder, 'bin', 'llama-server'),
    modelPath: join(home, 'models', 'current'),
    alias: 'gpt-oss-20b',
    socketPath: join(home, 'cold.sock'),
    contextTokens: 32_768,
    slots: 1,
    cacheType: 'f16',
    cacheRamMiB: 1024,
    extraArgs: [],
    xdgConfigHome: join(home, 'engine-config'),
  }
  const engine = createLlamaEngine(wanted, { safeMode: false, contextHalvings: 0 })
  rmSync(engine.socketPath, { force: true })
  const startedAtMs = performance.now()
  return new Promise((resolve, reject) => {
    const { file, args, env: childEnv } = engine.command
    const child = spawn(file, args, { env: childEnv, stdio: ['pipe', 'pipe', 'ignore'] })
    let tail = ''
    child.on('exit', () => reject(new Error('the engine died')))
    child.stdout.on('data', (chunk) => {
      const lines = (tail + chunk).split('\n')
      tail = lines.pop()
      if (!lines.some((line) => engine.readLine(line).facts.some((fact) => fact.kind === 'loaded')))
        return
      child.removeAllListeners('exit')
      child.kill('SIGKILL')
      child.on('exit', () => resolve(performance.now() - startedAtMs))
      resolve(performance.now() - startedAtMs)
    })
  })
}

async function crashToAnswer() {
  const cold = []
  const recovered = []
  for (let round = 0; round < (quick ? 3 : 7); round += 1) {
    // A restart forgets earlier deaths, so that each crash is an isolated one.
    execFileSync(process.execPath, [cli, 'restart'], { env, stdio: 'ignore' })
    cold.push(await coldStartMs())
    const { pid } = status().engine
    process.kill(pid, 'SIGKILL')
    const killedAtMs = performance.now()
    for (;;) {
      try {
        await ask(publicPort, '/v1/chat/completions', chat)
        break
      } catch (error) {
        // Sent in the instant before the death was noticed: an app would ask again.
        if (performance.now() - killedAtMs > 30_000) throw error
      }
    }
    recovered.push(performance.now() - killedAtMs)
  }
  return {
    coldStartMs: median(cold),
    crashToAnswerMs: median(recovered),
    addedMs: median(recovered) - median(cold),
  }
}

async function addedLatency() {
  const direct = { socketPath: join(home, 'run', 'engine.sock') }
  // The engine closes a connection after 100 requests: each side gets a fresh one for each batch.
  const batch = async (target, count) => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    const took = []
    for (let index = 0; index < count; index += 1) {
      const startedAtMs = performance.now()
      await ask(target, '/slots', undefined, agent)
      took.push(performance.now() - startedAtMs)
    }
    agent.destroy()
    return took.slice(10)
  }
  // What the port costs for weeks, not in its first second: 1,200 requests until V8 has compiled the way.
  for (let round = 0; round < 20; round += 1) await batch(publicPort, 60)
  const engine = []
  const ours = []
  for (let round = 0; round < (quick ? 10 : 30); round += 1) {
    engine.push(...(await batch(direct, 60)))
    ours.push(...(await batch(publicPort, 60)))
  }
  return {
    directMs: median(engine),
    throughPortMs: median(ours),
    addedMs: median(ours) - median(engine),
  }
}

/** The parts that need the real engine: `measure`, and the rows of what it measured. */
const PARTS = {
  status: {
    measure: statusSpeed,
    rows: ({ ratio }) => [row('oss20bd status / node -e 0', ratio, 'x', 2.5)],
  },
  latency: {
    measure: addedLatency,
    rows: ({ addedMs }) => [row('added latency p50', addedMs, 'ms', 0.4)],
  },
  rss: {
    measure: () => rssAfterRequests(1000),
    rows: ({ requests, rssMB }) => [row(`RSS after ${requests} requests`, rssMB, 'MB', 100)],
  },
  crash: {
    measure: crashToAnswer,
    rows: ({ addedMs }) => [row('crash to answer, over cold start', addedMs, 'ms', 200)],
  },
  idle: {
    measure: idleCpu,
    rows: ({ seconds, percentOfOneCore }) => [
      row(`idle CPU over ${seconds} s`, percentOfOneCore, '%', 0.5),
    ],
  },
}

function row(name, value, unit, atMost) {
  return { name, value, unit, goal: `<= ${atMost} ${unit}`, ok: value <= atMost }
}

function report(rows) {
  for (const { name, value, unit, goal, ok, runs, note, leftOut } of rows) {
    if (leftOut !== undefined) {
      console.log(`${name.padEnd(46)} left out: ${leftOut}`)
      continue
    }
    const verdict = ok === null ? '' : ok ? 'ok' : 'MISSED'
    const spread = runs?.length > 1 ? ` [${runs.map(inShort).join(' ')}]` : ''
    const cells = [
      name.padEnd(46),
      `${inShort(value)} ${unit}`.padStart(11),
      (goal ?? '').padEnd(10),
      verdict.padEnd(6),
    ]
    console.log(`${cells.join('  ')}  ${note ?? ''}${spread}`.trimEnd())
  }
}

function inShort(number) {
  return number.toFixed(Math.abs(number) < 10 ? 2 : 1)
}

/** The names asked for; `loop` stands for all that begin with `loop-`. */
function wantedNames() {
  const all = [PARTS, SUPERVISION, PORT].flatMap((parts) => Object.keys(parts))
  if (options.only === undefined) return all
  const asked = options.only.split(',')
  const isMeant = (name, word) => name === word || name.startsWith(`${word}-`)
  const unknown = asked.filter((word) => !all.some((name) => isMeant(name, word)))
  if (unknown.length > 0) {
    console.error(`Cannot measure ${unknown.join(', ')}: --only takes ${all.join(', ')}`)
    process.exit(2)
  }
  return all.filter((name) => asked.some((word) => isMeant(name, word)))
}

async function latencyOnly() {
  for (let run = 0; run < 3; run += 1) {
    const { directMs, throughPortMs, addedMs } = await addedLatency()
    const [direct, through, added] = [directMs, throughPortMs, addedMs].map((ms) => ms.toFixed(3))
    console.log(
      `added latency p50: ${added} ms (engine ${direct} ms, through the port ${through} ms)`,
    )
  }
}

/** Runs `work` with the daemon and the real engine. */
async function withRealEngine(work) {
  if (engineFolder === undefined) throw new Error('Start it with: npm run bench')
  try {
    await prepareHome()
    return await work()
  } finally {
    spawnSync(process.execPath, [cli, 'stop'], { env, stdio: 'inherit' })
  }
}

async function everything() {
  const names = wantedNames()
  const results = {
    at: new Date().toISOString(),
    node: process.version,
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    load: [loadavg()],
  }
  const rows = []
  const parts = names.filter((name) => Object.hasOwn(PARTS, name))
  if (parts.length > 0) {
    await withRealEngine(async () => {
      for (const name of parts) {
        console.error(name)
        results[name] = await PARTS[name].measure()
        rows.push(...PARTS[name].rows(results[name]))
      }
    })
    results.load.push(loadavg())
  }
  const supervision = await measureSupervision({
    root,
    names: names.filter((name) => Object.hasOwn(SUPERVISION, name)),
    rounds: Number(options.rounds ?? (quick ? 1 : 3)),
    quick,
    profiles: options.profile,
    tell: (text) => console.error(text),
  })
  rows.push(...supervision.rows)
  results.load.push(loadavg())
  const throughPort = await measurePort({
    root,
    engineFolder,
    names: names.filter((name) => Object.hasOwn(PORT, name)),
    rounds: Number(options.rounds ?? (quick ? 2 : 5)),
    quick,
    profiles: options.profile,
    tell: (text) => console.error(text),
  })
  rows.push(...throughPort.rows)
  results.load.push(loadavg())
  Object.assign(results, { supervision: supervision.figures, port: throughPort.figures, rows })
  report(rows)
  const loads = results.load.map(([oneMinute]) => oneMinute.toFixed(1))
  console.log(`${results.cores} cores, load average ${loads.join(', ')} from start to end`)
  write(results)
}

function write(results) {
  const folder = join(here, 'bench', 'results')
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `${results.at.replaceAll(':', '-')}.json`)
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`)
  console.log(`Written: ${file}`)
}

process.on('exit', () => {
  cleanUpNow()
  cleanUpPortNow()
  rmSync(home, { recursive: true, force: true, maxRetries: 5 })
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    // The real engine's daemon runs in the background, and not on its own.
    spawnSync(process.execPath, [cli, 'stop'], { env, stdio: 'ignore' })
    process.exit(1)
  })
}

if (options.latency) await withRealEngine(latencyOnly)
else await everything()
