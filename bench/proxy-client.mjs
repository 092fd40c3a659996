/**
 * Measures which HTTP client carries a request from the public port to the engine's unix socket best.
 *
 *   node bench/proxy-client.mjs --engine <path of llama-server> [--model <file.gguf>] [--rounds 5] [--json out.json]
 *
 * Every side is the same minimal proxy in a process of its own, with another client inside. The
 * sides take turns request by request, so that a busy machine is unfair to none; the table shows medians over the
 * rounds. `undici` is no dependency
 * of oss20bd: it takes part when the current folder can resolve it, and the output says so when not. The product's
 * own port takes part when it is compiled (dist/proxy/proxy-server.js).
 */
import { fork, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { createRequire } from 'node:module'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'

const SELF = fileURLToPath(import.meta.url)
const OURS = fileURLToPath(new URL('../dist', import.meta.url))

/** The clients under test: (socketPath) => (req, res) => void. */
const CLIENTS = {
  'node:http agent false': async (socketPath) => nodeHttp(() => ({ agent: false }), socketPath),
  'node:http shared agent, no pool': async (socketPath) => {
    const agent = new http.Agent({ keepAlive: false })
    return nodeHttp(() => ({ agent }), socketPath)
  },
  'node:http pool, idle < 4 s': async (socketPath) => {
    const agent = new http.Agent({ keepAlive: true, timeout: 4000, maxFreeSockets: 64 })
    return nodeHttp(() => ({ agent }), socketPath)
  },
  undici: async (socketPath) => {
    const { Agent } = await import(pathToFileURL(undiciPath()).href)
    const dispatcher = new Agent({
      connect: { socketPath },
      keepAliveTimeout: 3500,
      headersTimeout: 0,
      bodyTimeout: 0,
      pipelining: 1,
    })
    return viaUndici(dispatcher)
  },
  'got.stream': async (socketPath) => viaGot((await import('got')).default, socketPath),
  'oss20bd port': async (socketPath) => viaOurs(socketPath, OURS),
  'oss20bd port, other build': async (socketPath, other) => viaOurs(socketPath, other),
}

/** No proxy: it understands no HTTP. It shows what the second hop costs whoever takes it. */
const BYTE_PIPE = 'byte pipe (reference)'

function undiciPath() {
  try {
    return createRequire(join(process.cwd(), 'package.json')).resolve('undici')
  } catch {
    return null
  }
}

function forwardedHeaders(req) {
  const { connection: _c, host: _h, 'transfer-encoding': _t, ...headers } = req.headers
  return headers
}

function answerHeaders(headers) {
  const { connection: _c, 'keep-alive': _k, 'transfer-encoding': _t, ...rest } = headers
  return rest
}

function nodeHttp(agentOptions, socketPath) {
  return (req, res) => {
    const upstream = http.request({
      socketPath,
      method: req.method,
      path: req.url,
      headers: { ...forwardedHeaders(req), host: 'localhost' },
      ...agentOptions(),
    })
    upstream.on('response', (answer) => {
      res.writeHead(answer.statusCode, answerHeaders(answer.headers))
      answer.pipe(res)
    })
    upstream.on('error', () => fail(res))
    req.pipe(upstream)
  }
}

function viaUndici(dispatcher) {
  return (req, res) => {
    const hasBody = req.method !== 'GET' && req.method !== 'HEAD'
    dispatcher.dispatch(
      {
        origin: 'http://localhost',
        path: req.url,
        method: req.method,
        headers: forwardedHeaders(req),
        body: hasBody ? req : null,
      },
      {
        onRequestStart() {},
        onResponseStart(controller, status, headers) {
          res.writeHead(status, answerHeaders(headers))
          res.on('drain', () => controller.resume())
        },
        onResponseData(controller, chunk) {
          if (!res.write(chunk)) controller.pause()
        },
        onResponseEnd() {
          res.end()
        },
        onResponseError() {
          fail(res)
        },
      },
    )
  }
}

function viaGot(got, socketPath) {
  return (req, res) => {
    const hasBody = req.method !== 'GET' && req.method !== 'HEAD'
    const upstream = got.stream(`http://unix:${socketPath}:${req.url}`, {
      enableUnixSockets: true,
      method: req.method,
      headers: forwardedHeaders(req),
      throwHttpErrors: false,
      decompress: false,
      followRedirect: false,
      retry: { limit: 0 },
    })
    upstream.on('response', (answer) => {
      res.writeHead(answer.statusCode, answerHeaders(answer.headers))
      upstream.pipe(res)
    })
    upstream.on('error', () => fail(res))
    if (hasBody) req.pipe(upstream)
  }
}

function fail(res) {
  if (!res.headersSent) res.writeHead(502)
  res.end()
}

async function viaOurs(socketPath, dist) {
  const load = (file) => import(pathToFileURL(join(dist, ...file.split('/'))).href)
  const { createProxyServer } = await load('proxy/proxy-server.js')
  const { createModelNames } = await load('proxy/aliases.js')
  const { createRequestLog } = await load('proxy/accounting/request-log.js')
  const quiet = () => {}
  const clock = {
    nowMs: Date.now,
    monotonicMs: () => performance.now(),
    sleep: () => new Promise(quiet),
  }
  return createProxyServer({
    host: '127.0.0.1',
    port: 0,
    names: createModelNames({ base: 'gpt-oss-20b', aliases: [] }),
    tokens: { check: () => ({ kind: 'open' }) },
    requests: createRequestLog({ clock }),
    holdTimeoutMs: 1000,
    continueStreams: true,
    limits: {
      keepBytes: 16 * 2 ** 20,
      heldBytes: 256 * 2 ** 20,
      bodyBytes: 100_000_000,
      uploadTimeoutMs: 30_000,
      headersTimeoutMs: 60_000,
      queued: 100,
      connections: 12_000,
    },
    allowedHosts: [],
    allowedOrigins: [],
    upstream: {
      current: () => ({ kind: 'ready', socketPath, runId: 1 }),
      changed: () => new Promise(quiet),
      wake: quiet,
    },
    onAnswer: quiet,
    onBusy: quiet,
    clock,
    log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    findPortHolder: async () => null,
  })
}

/** In the proxy's own process: serve, tell the port, live until the parent goes. */
async function runSide(name, socketPath, otherDist) {
  process.on('disconnect', () => process.exit(0))
  if (name === BYTE_PIPE) return runBytePipe(socketPath)
  const side = await CLIENTS[name](socketPath, otherDist)
  if (typeof side !== 'function') {
    process.send({ port: Number(new URL((await side.listen()).url).port) })
    return
  }
  const server = http.createServer(side)
  server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }))
}

function runBytePipe(socketPath) {
  const server = net.createServer({ noDelay: true }, (client) => {
    const engine = net.connect(socketPath)
    for (const [from, to] of [
      [client, engine],
      [engine, client],
    ]) {
      from.on('data', (bytes) => void to.write(bytes))
      from.on('error', () => {})
      from.on('close', () => to.destroy())
    }
  })
  server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }))
}

function startSide(name, socketPath, otherDist = '') {
  const args = ['--side', name, '--socket', socketPath, '--other-dist', otherDist]
  const child = fork(SELF, args)
  return new Promise((resolve, reject) => {
    child.once('message', ({ port }) => resolve({ child, port }))
    child.once('exit', (code) => reject(new Error(`side ${name} ended with ${code}`)))
  })
}

/** One request to its last byte; resolves to its milliseconds. */
function once(target, request) {
  const startedAt = performance.now()
  return new Promise((resolve, reject) => {
    const outgoing = http.request(
      {
        ...target,
        method: request.method,
        path: request.path,
        headers:
          request.body === undefined
            ? {}
            : {
                'content-type': 'application/json',
                'content-length': Buffer.byteLength(request.body),
              },
      },
      (answer) => {
        if (answer.statusCode !== (request.status ?? 200))
          reject(new Error(`${request.path}: status ${answer.statusCode}`))
        answer.on('end', () => resolve(performance.now() - startedAt))
        answer.on('error', reject)
        answer.resume()
      },
    )
    outgoing.on('error', reject)
    outgoing.end(request.body)
  })
}

/** The engine closes an idle or old connection under us: on a direct or pooled line that is a plain failure. */
async function onceCounted(target, request, tally) {
  try {
    return await once(target, request)
  } catch {
    tally.failed += 1
    return null
  }
}

async function throughput(target, request, total, concurrency, tally) {
  let left = total
  const startedAt = performance.now()
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (left > 0) {
        left -= 1
        await onceCounted(target, request, tally)
      }
    }),
  )
  return (total / (performance.now() - startedAt)) * 1000
}

function quantile(values, q) {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN
}

const median = (values) => quantile(values, 0.5)

/** One round of one kind of request: all sides in turn, `count` times; another side begins each time. */
async function latencyRound(sides, kind, request, results) {
  const times = new Map(sides.map((side) => [side.name, []]))
  const warmup = Math.ceil(request.count / 10)
  for (let index = 0; index < request.count + warmup; index += 1) {
    for (const side of turned(sides, index)) {
      const ms = await onceCounted(side.target, request, results.get(side.name))
      if (ms !== null && index >= warmup) times.get(side.name).push(ms)
    }
  }
  for (const [name, list] of times) {
    push(results.get(name), `${kind} p50 ms`, quantile(list, 0.5))
    push(results.get(name), `${kind} p95 ms`, quantile(list, 0.95))
  }
}

async function measureRound(sides, round, requests, results) {
  for (const [kind, request] of Object.entries(requests)) {
    await latencyRound(sides, kind, request, results)
  }
  if (requests.small === undefined) return
  for (const side of turned(sides, round)) {
    const result = results.get(side.name)
    push(result, 'small c16 req/s', await throughput(side.target, requests.small, 1200, 16, result))
  }
}

function push(result, key, value) {
  result[key] = [...(result[key] ?? []), value]
}

async function startEngine(file, model, socketPath) {
  const args = ['--host', socketPath, '--no-webui', '-lv', '1']
  if (model !== undefined) args.push('-m', model, '-c', '2048', '-np', '4', '--jinja')
  const child = spawn(file, args, { stdio: 'ignore' })
  const gone = new Promise((_resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the engine ended with ${code}`)))
    child.once('error', reject)
  })
  gone.catch(() => {})
  const ready = (async () => {
    const until = performance.now() + 60_000
    while (performance.now() < until) {
      const ok = await once({ socketPath }, { method: 'GET', path: '/health' }).catch(() => null)
      if (ok !== null) return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error('the engine was not ready in 60 s')
  })()
  await Promise.race([ready, gone])
  return child
}

/** Each round another side goes first, so that none always profits from a quiet or warm machine. */
function turned(list, by) {
  const start = by % list.length
  return [...list.slice(start), ...list.slice(0, start)]
}

/** Why a side cannot take part, or `null`. */
function missing(name, options) {
  if (name === 'undici' && undiciPath() === null) {
    return 'the current folder cannot resolve it (npm install undici there)'
  }
  if (name === 'oss20bd port' && !existsSync(OURS)) return 'not compiled (npm run build)'
  if (name === 'oss20bd port, other build' && options['other-dist'] === '') {
    return 'no --other-dist'
  }
  return null
}

async function main(options) {
  const folder = mkdtempSync(join(tmpdir(), 'oss20bd-bench-'))
  const socketPath = join(folder, 'engine.sock')
  const engine = await startEngine(options.engine, options.model, socketPath)
  const all = {
    // Small, and not answered by the oss20bd port itself: the engine's own 404.
    small: { method: 'GET', path: '/no-such-path', status: 404, count: 200 },
    ...(options.model === undefined
      ? {}
      : {
          props: { method: 'GET', path: '/props', count: 100 },
          // A POST with a body whose answer costs the engine next to nothing: steady, unlike a chat.
          post: {
            method: 'POST',
            path: '/apply-template',
            body: JSON.stringify({
              messages: [{ role: 'user', content: 'Hi there. '.repeat(50) }],
            }),
            count: 200,
          },
          chat: {
            method: 'POST',
            path: '/v1/chat/completions',
            body: JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }], max_tokens: 1 }),
            count: 15,
          },
        }),
  }
  const asked = new RegExp(options.requests)
  const requests = Object.fromEntries(Object.entries(all).filter(([kind]) => asked.test(kind)))
  const sides = []
  const keepAlive = () => ({ agent: new http.Agent({ keepAlive: true, maxFreeSockets: 64 }) })
  sides.push({ name: 'direct, kept alive', target: { socketPath, ...keepAlive() } })
  sides.push({ name: 'direct, unpooled', target: { socketPath, agent: false } })
  const children = []
  try {
    for (const name of [BYTE_PIPE, ...Object.keys(CLIENTS)]) {
      const isWanted = options.sides === '' || new RegExp(options.sides).test(name)
      const reason = isWanted ? missing(name, options) : 'not asked for'
      if (reason !== null) {
        console.error(`${name} left out: ${reason}`)
        continue
      }
      const { child, port } = await startSide(name, socketPath, options['other-dist'])
      children.push(child)
      sides.push({ name, target: { host: '127.0.0.1', port, ...keepAlive() } })
    }
    const results = new Map(sides.map((side) => [side.name, { failed: 0 }]))
    for (let round = 0; round < options.rounds; round += 1) {
      await measureRound(sides, round, requests, results)
    }
    report(results, options.json)
  } finally {
    for (const child of children) child.disconnect()
    engine.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
}

function report(results, jsonFile) {
  const rows = {}
  for (const [name, result] of results) {
    const { failed, ...series } = result
    rows[name] = Object.fromEntries(
      Object.entries(series).map(([key, values]) => [key, Number(median(values).toFixed(3))]),
    )
    rows[name].failed = failed
  }
  console.table(rows)
  if (jsonFile !== undefined)
    writeFileSync(jsonFile, `${JSON.stringify({ node: process.version, rows }, null, 2)}\n`)
}

const { values } = parseArgs({
  options: {
    engine: { type: 'string' },
    model: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    json: { type: 'string' },
    // A regular expression: only these sides, besides the direct ones.
    sides: { type: 'string', default: '' },
    // A regular expression: only these kinds of request.
    requests: { type: 'string', default: '' },
    // The dist folder of another build of oss20bd, to compare with this one.
    'other-dist': { type: 'string', default: '' },
    side: { type: 'string' },
    socket: { type: 'string' },
  },
})
if (values.side !== undefined) {
  await runSide(values.side, values.socket, values['other-dist'])
} else if (values.engine === undefined) {
  console.error('Cannot measure: --engine <path of llama-server> is missing')
  process.exitCode = 2
} else {
  await main({ ...values, rounds: Number(values.rounds) })
}
