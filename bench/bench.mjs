/**
 * npm run bench: what the product promises in numbers, all sides in one run, alternating.
 * Prints a table and writes bench/results/<time>.json. `--quick` shortens the idle minute and the rounds.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { cpus, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createLlamaEngine } from '../dist/llama/llama-engine.js'
import { writeTestModel } from '../dist/model/test-model.js'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const cli = join(root, 'bin', 'oss20bd')
const quick = process.argv.includes('--quick')
const engineFolder = process.env.OSS20BD_TEST_ENGINE
if (engineFolder === undefined) throw new Error('Start it with: npm run bench')

const home = mkdtempSync(join(tmpdir(), 'oss20bd-bench-'))
const port = 20_000 + (process.pid % 10_000)
const env = { ...process.env, OSS20BD_HOME: home, OSS20BD_PROXY_PORT: String(port) }
delete env.OSS20BD_TEST_ENGINE

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]
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

/** CPU seconds of a process so far, from /proc, or from ps where there is none. */
function cpuSeconds(pid) {
  if (process.platform === 'linux') {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
    return (Number(fields[11]) + Number(fields[12])) / 100
  }
  const [minutes, seconds] = execFileSync('ps', ['-o', 'time=', '-p', String(pid)], {
    encoding: 'utf8',
  }).split(':')
  return Number(minutes) * 60 + Number(seconds)
}

async function idleCpu() {
  const { pid } = status().daemon
  const seconds = quick ? 10 : 60
  const before = cpuSeconds(pid)
  await sleep(seconds * 1000)
  return { seconds, percentOfOneCore: ((cpuSeconds(pid) - before) / seconds) * 100 }
}

/** The engine alone: from spawn to the line that says ready. */
function coldStartMs() {
  const engine = createLlamaEngine({
    file: join(engineFolder, 'bin', 'llama-server'),
    modelPath: join(home, 'models', 'current'),
    alias: 'gpt-oss-20b',
    socketPath: join(home, 'cold.sock'),
    contextTokens: 32_768,
    slots: 1,
    cacheRamMiB: 1024,
    extraArgs: [],
    xdgConfigHome: join(home, 'engine-config'),
  })
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

function report(results) {
  const rows = [
    [
      'oss20bd status / node -e 0',
      `${results.status.ratio.toFixed(2)}x`,
      '<= 2.5x',
      results.status.ratio <= 2.5,
    ],
    [
      `RSS after ${results.rss.requests} requests`,
      `${results.rss.rssMB.toFixed(1)} MB`,
      '<= 100 MB',
      results.rss.rssMB <= 100,
    ],
    [
      `idle CPU over ${results.idle.seconds} s`,
      `${results.idle.percentOfOneCore.toFixed(2)} %`,
      '< 0.5 %',
      results.idle.percentOfOneCore < 0.5,
    ],
    [
      'crash to answer, over cold start',
      `${results.crash.addedMs.toFixed(0)} ms`,
      '<= 200 ms',
      results.crash.addedMs <= 200,
    ],
    [
      'added latency p50',
      `${results.latency.addedMs.toFixed(3)} ms`,
      '<= 0.4 ms',
      results.latency.addedMs <= 0.4,
    ],
  ]
  for (const [name, value, bound, good] of rows) {
    console.log(
      `${name.padEnd(34)} ${value.padStart(12)}   ${bound.padEnd(10)} ${good ? 'reached' : 'NOT reached'}`,
    )
  }
}

try {
  await prepareHome()
  const results = {
    at: new Date().toISOString(),
    node: process.version,
    cpu: cpus()[0]?.model,
    status: statusSpeed(),
    latency: await addedLatency(),
    rss: await rssAfterRequests(1000),
    crash: await crashToAnswer(),
    idle: await idleCpu(),
  }
  report(results)
  const folder = join(root, 'bench', 'results')
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `${results.at.replaceAll(':', '-')}.json`)
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`)
  console.log(`Written: ${file}`)
} finally {
  spawnSync(process.execPath, [cli, 'stop'], { env, stdio: 'inherit' })
  rmSync(home, { recursive: true, force: true })
}
