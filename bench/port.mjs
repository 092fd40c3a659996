/**
 * Measures what the public port costs: the real engine asked directly (its unix socket), through our port, and through
 * nginx without buffering, in turns. The real daemon as it is started in the background, the built-in test model with
 * 4 slots, one engine process for all sides.
 */
import { execFileSync, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync } from 'node:fs'
import { realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { connectProbe, freePort } from './local.mjs'
import { cpuSeconds, median, quantile } from './numbers.mjs'

const PROBE = new URL('loop-delay.mjs', import.meta.url)
const REFERENCE = fileURLToPath(new URL('reference.mjs', import.meta.url))
/** As src/cli/spawn-daemon.ts starts it. */
const NODE_FLAGS = ['--max-semi-space-size=2', '--v8-pool-size=1']
const SLOTS = 4
const WARM_UP_TOKENS = 1000
const START_MS = 60_000
const STOP_WITHIN_MS = 20_000
const GET_PATH = '/slots'
/** The engine ends a connection after 100 requests: a batch fits into one. */
const BATCH = 60

/**
 * Name to what it measures: `run` one round to its figures, `rows` the figures of all rounds to rows of the table.
 * @type {Record<string, { run: Function, rows: Function, isRunOnce?: boolean }>}
 */
export const PORT = {
  'port-latency': { run: measureLatency, rows: latencyRows },
  'port-throughput': { run: measureThroughput, rows: throughputRows },
  'port-first-token': { run: measureFirstToken, rows: firstTokenRows },
  'port-streams': { run: measureStreams, rows: streamRows },
  'port-cpu': { run: measureCpu, rows: cpuRows },
  'port-rss': { run: measureRss, rows: rssRows, isRunOnce: true },
}

const leftovers = new Set()

/** For the end that is not the end of the work: a signal. */
export function cleanUpPortNow() {
  for (const cleanUp of leftovers) cleanUp()
}

/**
 * Measures each of `names` in turn, `rounds` times over. `profiles` is a folder for CPU profiles of the daemon under
 * port-cpu, or undefined; they slow it down. Resolves to `{ rows, figures }`.
 */
export async function measurePort({ root, engineFolder, names, rounds, quick, profiles, tell }) {
  const figures = Object.fromEntries(names.map((name) => [name, []]))
  if (names.length === 0) return { rows: [], figures }
  if (engineFolder === undefined) throw new Error('Start it with: npm run bench')
  if (profiles !== undefined) mkdirSync(profiles, { recursive: true })
  const bench = await startSides({ root, engineFolder, isProbed: profiles !== undefined })
  try {
    tell('port: warming up')
    // A daemon that just began runs code that is not compiled yet; it has run for hours when it matters.
    for (const kind of Object.keys(BODIES)) {
      for (const { target } of [bench.sides.ours, bench.pipe])
        await streams(target, kind, SLOTS, WARM_UP_TOKENS)
    }
    for (let round = 1; round <= rounds; round += 1) {
      for (const name of names) {
        if (PORT[name].isRunOnce && round > 1) continue
        tell(`${name}, round ${round} of ${PORT[name].isRunOnce ? 1 : rounds}`)
        figures[name].push(await PORT[name].run({ ...bench, round, quick, profiles, tell }))
      }
    }
  } finally {
    await bench.stop()
  }
  const rows = names.flatMap((name) => PORT[name].rows(figures[name]))
  const isOut = bench.sides.nginx === undefined
  if (isOut) rows.push({ name: 'the port beside nginx', leftOut: 'there is no nginx here' })
  return { rows, figures }
}

// -------------------------------------------------------------------------------------- the sides

/** The daemon, its engine and nginx, by name: what each is asked at. */
async function startSides({ root, engineFolder, isProbed }) {
  const home = mkdtempSync(join(tmpdir(), 'ob-'))
  const state = { daemon: undefined, nginx: undefined, pipe: undefined }
  const remove = () => {
    leftovers.delete(remove)
    state.nginx?.kill('SIGKILL')
    state.pipe?.kill('SIGKILL')
    // The engine goes with its daemon, also after a SIGKILL: its stdin ends.
    state.daemon?.kill('SIGKILL')
    rmSync(home, { recursive: true, force: true, maxRetries: 5 })
  }
  leftovers.add(remove)
  try {
    await prepareHome({ root, home, engineFolder })
    const [port, nginxPort] = [await freePort(), await freePort()]
    state.daemon = await startDaemon({ root, home, port, isProbed })
    const sides = {
      direct: { target: { socketPath: join(home, 'run', 'engine.sock') } },
      ours: { target: { host: '127.0.0.1', port }, pid: state.daemon.pid },
    }
    await untilAnswer(sides.ours.target)
    const file = nginxFile()
    if (file !== null) {
      state.nginx = startNginx(file, join(home, 'nginx'), nginxPort, sides.direct.target.socketPath)
      sides.nginx = { target: { host: '127.0.0.1', port: nginxPort }, pid: state.nginx.pid }
      await untilAnswer(sides.nginx.target)
    }
    // What carrying the bytes costs any Node process: it ends with us.
    state.pipe = fork(REFERENCE, ['pipe', sides.direct.target.socketPath], { execArgv: NODE_FLAGS })
    const [{ port: pipePort }] = await once(state.pipe, 'message')
    const pipe = { target: { host: '127.0.0.1', port: pipePort }, pid: state.pipe.pid }
    const probe = isProbed ? await connectProbe(join(home, 'probe.sock')) : undefined
    const stop = async () => {
      await endGently(state.nginx)
      await endGently(state.pipe)
      await endGently(state.daemon)
      remove()
    }
    return { sides, pipe, probe, stop }
  } catch (error) {
    remove()
    throw error
  }
}

/** The counting model: a chat answer is as long as is asked for, too. */
async function prepareHome({ root, home, engineFolder }) {
  mkdirSync(join(home, 'models'))
  mkdirSync(join(home, 'engines'))
  mkdirSync(join(home, 'nginx'))
  symlinkSync(realpathSync(engineFolder), join(home, 'engines', 'current'))
  const templateFile = join(engineFolder, 'templates', 'openai-gpt-oss-120b.jinja')
  const modelModule = pathToFileURL(join(root, 'dist', 'model', 'test-model.js')).href
  const { writeTestModel } = await import(modelModule)
  await writeTestModel(join(home, 'models', 'current'), {
    template: readFileSync(templateFile, 'utf8'),
    variant: 'counts-in-answer',
  })
}

async function startDaemon({ root, home, port, isProbed }) {
  const outFile = join(home, 'daemon.out')
  const out = openSync(outFile, 'a')
  const flags = [...NODE_FLAGS, ...(isProbed ? ['--import', PROBE.href] : [])]
  const args = [...flags, join(root, 'bin', 'oss20bd'), 'daemon', '--background']
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', out, out, 'ipc'],
    env: {
      PATH: process.env.PATH,
      HOME: home,
      OSS20BD_HOME: home,
      OSS20BD_PROXY_PORT: String(port),
      OSS20BD_MODEL_SLOTS: String(SLOTS),
      ...(isProbed ? { BENCH_PROBE_SOCKET: join(home, 'probe.sock') } : {}),
    },
  })
  closeSync(out)
  const report = await Promise.race([
    once(child, 'message').then(([message]) => message),
    once(child, 'exit').then(([code, signal]) => ({ kind: `ended with ${code ?? signal}` })),
  ])
  if (report.kind === 'listening') return child
  child.kill('SIGKILL')
  const said = readFileSync(outFile, 'utf8')
  throw new Error(`The daemon does not run: ${JSON.stringify(report)}\n${said}`)
}

/** Debian puts it where the PATH of a user does not lead. */
function nginxFile() {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  return folders.map((folder) => join(folder, 'nginx')).find((file) => existsSync(file)) ?? null
}

/** One process, as we are, that keeps one connection to the engine, as we do. */
function startNginx(file, folder, port, socketPath) {
  const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const temp = kinds.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join('\n  ')
  const config = `daemon off;
master_process off;
pid ${folder}/pid;
error_log ${folder}/error.log error;
events { worker_connections 1024; }
http {
  access_log off;
  ${temp}
  keepalive_requests 1000000;
  upstream engine { server unix:${socketPath}; keepalive 1; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://engine;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host localhost;
      proxy_buffering off;
      proxy_read_timeout 600s;
    }
  }
}
`
  writeFileSync(join(folder, 'nginx.conf'), config)
  // Debian links it against modules whose log opens before the config is read: -e.
  const args = ['-p', folder, '-e', join(folder, 'error.log'), '-c', join(folder, 'nginx.conf')]
  return spawn(file, args, { stdio: ['ignore', 'ignore', 'inherit'] })
}

async function endGently(child) {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGTERM')
  await Promise.race([gone, sleep(STOP_WITHIN_MS, undefined, { ref: false })])
}

async function untilAnswer(target) {
  const until = performance.now() + START_MS
  for (;;) {
    try {
      return await stream(target, 'completion', 1)
    } catch (error) {
      if (performance.now() > until) throw error
      await sleep(50)
    }
  }
}

/** Each round another side goes first, so that none always profits from a quiet or warm machine. */
function inTurn(sides, round) {
  const names = Object.keys(sides)
  const start = round % names.length
  return [...names.slice(start), ...names.slice(0, start)]
}

// ------------------------------------------------------------------------------------ the clients

/**
 * A client with one connection that is kept alive, on a bare socket: node:http would cost more than what is measured.
 * `get` resolves to the milliseconds until the last byte.
 */
function createGetter(target) {
  const question = `GET ${GET_PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n`
  let socket
  let settle
  let startedAt = 0
  let parts = []
  let missing = -1

  const fail = (error) => {
    socket = undefined
    settle?.reject(error)
    settle = undefined
  }

  const onData = (from, bytes) => {
    parts.push(bytes)
    missing = missing < 0 ? missingBytes(Buffer.concat(parts)) : missing - bytes.length
    if (missing === null) return fail(new Error(`An answer of ${GET_PATH} is not what it must be`))
    if (missing !== 0) return
    if (/\r\nconnection: close\r\n/i.test(parts[0].toString('latin1', 0, 400))) {
      socket = undefined
      from.destroy()
    }
    const { resolve } = settle
    settle = undefined
    resolve(performance.now() - startedAt)
  }

  const open = () => {
    const opened = connect(target.socketPath ?? target)
    if (target.socketPath === undefined) opened.setNoDelay(true)
    opened.on('data', (bytes) => onData(opened, bytes))
    for (const event of ['error', 'close'])
      opened.on(event, (error) => {
        if (socket === opened) fail(error instanceof Error ? error : new Error('closed'))
      })
    return opened
  }

  return {
    get() {
      return new Promise((resolve, reject) => {
        settle = { resolve, reject }
        parts = []
        missing = -1
        startedAt = performance.now()
        socket ??= open()
        socket.write(question)
      })
    },
    close() {
      settle = undefined
      socket?.destroy()
    },
  }
}

/** How much of an answer is still to come; -1 as long as its head is, null when it is not a 200 of known length. */
function missingBytes(bytes) {
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd < 0) return -1
  const head = bytes.toString('latin1', 0, headEnd + 2)
  const length = /\r\ncontent-length: (\d+)\r\n/i.exec(head)
  if (!head.startsWith('HTTP/1.1 200 ') || length === null) return null
  return headEnd + 4 + Number(length[1]) - bytes.length
}

/** A connection that the engine ends between two requests fails the one just sent: asked again, and counted. */
async function getAgain(getter, tally) {
  try {
    return await getter.get()
  } catch (error) {
    tally.failed += 1
    if (tally.failed > 1000) throw error
    return null
  }
}

const BODIES = {
  completion: ['/v1/completions', { prompt: '#' }],
  chat: ['/v1/chat/completions', { messages: [{ role: 'user', content: 'Count.' }] }],
}

/** One streamed answer; fails unless the engine counted `tokens`; resolves to the ms until the first of them. */
function stream(target, kind, tokens) {
  const [path, body] = BODIES[kind]
  const headers = { 'content-type': 'application/json' }
  const startedAt = performance.now()
  return new Promise((resolve, reject) => {
    const options = { ...target, path, method: 'POST', headers, agent: false }
    const request = http.request(options, (response) => {
      let firstMs
      let latest = []
      response.setEncoding('utf8')
      response.on('data', (text) => {
        firstMs ??= performance.now() - startedAt
        // The last event counts the tokens; what ends the answer may come in pieces.
        latest = [...latest.slice(-5), text]
      })
      response.on('error', reject)
      response.on('end', () => {
        const end = latest.join('')
        const counted = Number(/"predicted_n":(\d+)/.exec(end)?.[1])
        const isWhole = response.statusCode === 200 && end.trimEnd().endsWith('data: [DONE]')
        if (isWhole && counted === tokens) resolve(firstMs)
        else reject(new Error(`${path}: ${response.statusCode}, ${counted} tokens: ${end}`))
      })
    })
    request.on('error', reject)
    request.end(JSON.stringify({ ...body, max_tokens: tokens, stream: true }))
  })
}

/** `count` streams at once, together. */
async function streams(target, kind, count, tokens) {
  const startedAt = performance.now()
  await Promise.all(Array.from({ length: count }, () => stream(target, kind, tokens)))
  return (count * tokens * 1000) / (performance.now() - startedAt)
}

// ------------------------------------------------------------------------------------ small GETs

async function measureLatency({ sides, round, quick }) {
  const took = Object.fromEntries(Object.keys(sides).map((name) => [name, []]))
  const tally = { failed: 0 }
  for (let batch = 0; batch < (quick ? 5 : 15); batch += 1) {
    for (const name of inTurn(sides, round + batch)) {
      const getter = createGetter(sides[name].target)
      for (let index = 0; index < BATCH; index += 1) {
        const ms = await getAgain(getter, tally)
        if (index >= 10 && ms !== null) took[name].push(ms)
      }
      getter.close()
    }
  }
  const of = (q) =>
    Object.fromEntries(Object.keys(took).map((name) => [name, quantile(took[name], q)]))
  return { p50Ms: of(0.5), p95Ms: of(0.95), ...tally }
}

function latencyRows(figures) {
  const added = (key) => figures.map((figure) => figure[key].ours - figure[key].direct)
  return [
    row('small GET, added p50', 'ms', added('p50Ms'), {
      atMost: 0.2,
      note: beside(figures, ({ p50Ms }) => p50Ms, 3),
    }),
    row('small GET, added p95', 'ms', added('p95Ms'), {
      note: beside(figures, ({ p95Ms }) => p95Ms, 3),
    }),
  ]
}

const CONNECTIONS = [1, 16, 64]

async function measureThroughput({ sides, round, quick }) {
  const figure = {}
  for (const connections of CONNECTIONS) {
    figure[connections] = {}
    for (const name of inTurn(sides, round))
      figure[connections][name] = await load(sides[name].target, connections, quick ? 1000 : 2000)
  }
  return figure
}

/** Asks on `connections` at once for `forMs`. */
async function load(target, connections, forMs) {
  const took = []
  const tally = { failed: 0 }
  const startedAt = performance.now()
  const ask = async () => {
    const getter = createGetter(target)
    while (performance.now() - startedAt < forMs) {
      const ms = await getAgain(getter, tally)
      if (ms !== null) took.push(ms)
    }
    getter.close()
  }
  await Promise.all(Array.from({ length: connections }, ask))
  const perSecond = (took.length / (performance.now() - startedAt)) * 1000
  return { perSecond, p50Ms: quantile(took, 0.5), p95Ms: quantile(took, 0.95), ...tally }
}

function throughputRows(figures) {
  return CONNECTIONS.flatMap((connections) => {
    const of = (key) => (figure) =>
      Object.fromEntries(
        Object.entries(figure[connections]).map(([name, side]) => [name, side[key]]),
      )
    const runs = figures.map((figure) => figure[connections].ours.perSecond)
    const rows = [
      row(`small GETs on ${connections} connections`, '/s', runs, {
        note: `${beside(figures, of('perSecond'), 0)}; p95 ms: ${beside(figures, of('p95Ms'), 1)}`,
      }),
    ]
    if (figures[0][connections].nginx === undefined) return rows
    const ratios = figures.map(of('perSecond')).map(({ ours, nginx }) => ours / nginx)
    const goal = connections === 16 ? { atLeast: 0.7 } : {}
    return [...rows, row(`  beside nginx, ${connections} connections`, 'x', ratios, goal)]
  })
}

// ----------------------------------------------------------------------------------------- streams

async function measureFirstToken({ sides, round, quick }) {
  const figure = {}
  for (const count of [1, SLOTS]) {
    const took = Object.fromEntries(Object.keys(sides).map((name) => [name, []]))
    for (let index = 0; index < (quick ? 5 : 15); index += 1) {
      for (const name of inTurn(sides, round + index)) {
        const asked = Array.from({ length: count }, () =>
          stream(sides[name].target, 'completion', 4),
        )
        took[name].push(...(await Promise.all(asked)))
      }
    }
    figure[count] = Object.fromEntries(
      Object.keys(took).map((name) => [name, quantile(took[name], 0.5)]),
    )
  }
  return figure
}

function firstTokenRows(figures) {
  return [1, SLOTS].map((count) =>
    row(
      `first token of ${inWords(count)}, added p50`,
      'ms',
      figures.map((figure) => figure[count].ours - figure[count].direct),
      { note: beside(figures, (figure) => figure[count], 1) },
    ),
  )
}

const tokensOf = (quick) => (quick ? 500 : 2000)

async function measureStreams({ sides, round, quick }) {
  const figure = {}
  for (const count of [1, SLOTS]) {
    figure[count] = {}
    for (const name of inTurn(sides, round)) {
      figure[count][name] = await streams(sides[name].target, 'completion', count, tokensOf(quick))
    }
  }
  return figure
}

function streamRows(figures) {
  return [1, SLOTS].flatMap((count) => {
    const ratio = (side) => figures.map((figure) => figure[count][side] / figure[count].direct)
    const goal = count === SLOTS ? { atLeast: 0.95 } : {}
    const rows = [
      row(`${inWords(count)}, of direct tokens/s`, 'x', ratio('ours'), {
        ...goal,
        note: `tokens/s: ${beside(figures, (figure) => figure[count], 0)}`,
      }),
    ]
    if (figures[0][count].nginx === undefined) return rows
    return [...rows, row(`  nginx, ${inWords(count)}`, 'x', ratio('nginx'))]
  })
}

const inWords = (count) => (count === 1 ? '1 stream' : `${count} streams`)

async function measureCpu({ sides, pipe, probe, round, quick, profiles }) {
  const figure = {}
  const tokens = tokensOf(quick)
  for (const kind of Object.keys(BODIES)) {
    figure[kind] = {}
    const { direct: _, ...processes } = { ...sides, pipe }
    for (const name of inTurn(processes, round)) {
      const { target, pid } = processes[name]
      const file = name === 'ours' && profiles && join(profiles, `port-${kind}-${round}.cpuprofile`)
      if (file) await probe({ do: 'profile-start' })
      const before = cpuSeconds(pid)
      await streams(target, kind, SLOTS, tokens)
      figure[kind][name] = ((cpuSeconds(pid) - before) * 1e6) / (SLOTS * tokens)
      if (file) await probe({ do: 'profile-stop', file })
    }
  }
  return figure
}

function cpuRows(figures) {
  return Object.keys(BODIES).map((kind) =>
    row(
      `CPU per token, ${SLOTS} ${kind} streams`,
      'us',
      figures.map((figure) => figure[kind].ours),
      { atMost: 30, note: beside(figures, (figure) => figure[kind], 1) },
    ),
  )
}

// ------------------------------------------------------------------------------------------ memory

const WARM_UP_REQUESTS = 5000

/** The heap is a sawtooth of tens of MB: a window of samples tells of growth, two single ones only of their moments. */
async function measureRss({ sides, quick, tell }) {
  const { target, pid } = sides.ours
  const requests = quick ? 10_000 : 100_000
  await getMany(target, WARM_UP_REQUESTS)
  const windows = []
  for (let tenth = 1; tenth <= 10; tenth += 1) {
    const samples = []
    for (let part = 0; part < 10; part += 1) {
      await getMany(target, requests / 100)
      samples.push(rssMB(pid))
    }
    windows.push(samples)
    tell(`  ${(tenth * requests) / 10} requests, ${median(samples).toFixed(1)} MB`)
  }
  return { requests, warmUp: WARM_UP_REQUESTS, rssMB: windows }
}

async function getMany(target, requests) {
  let left = requests
  const tally = { failed: 0 }
  const ask = async () => {
    const getter = createGetter(target)
    while (left > 0) {
      left -= 1
      await getAgain(getter, tally)
    }
    getter.close()
  }
  await Promise.all(Array.from({ length: SLOTS }, ask))
  if (tally.failed > 0) throw new Error(`${tally.failed} of ${requests} requests failed`)
}

function rssMB(pid) {
  const kib = execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })
  return (Number(kib) * 1024) / 1e6
}

function rssRows([{ requests, rssMB: windows }]) {
  const medians = windows.map((samples) => median(samples))
  const growth = (medians.at(-1) / medians[0] - 1) * 100
  return [
    row(`RSS growth, ${requests.toLocaleString('en')} requests`, '%', [growth], {
      below: 5,
      note: `MB by tenths: ${medians.map((mb) => mb.toFixed(0)).join(' ')}; max ${Math.max(...windows.flat()).toFixed(0)}`,
    }),
  ]
}

// -------------------------------------------------------------------------------------------- rows

/** The medians of all sides. */
function beside(figures, sidesOf, digits) {
  const all = figures.map(sidesOf)
  return Object.keys(all[0])
    .map((name) => `${name} ${median(all.map((sides) => sides[name])).toFixed(digits)}`)
    .join(', ')
}

/** The value is the median of the runs. */
function row(name, unit, runs, { atMost, atLeast, below, note } = {}) {
  const value = median(runs)
  const goals = [
    ['<=', atMost, value <= atMost],
    ['>=', atLeast, value >= atLeast],
    ['<', below, value < below],
  ]
  const [sign, bound, isReached] = goals.find((goal) => goal[1] !== undefined) ?? []
  const goal = bound === undefined ? null : `${sign} ${bound} ${unit}`
  return { name, value, unit, goal, ok: bound === undefined ? null : isReached, runs, note }
}
