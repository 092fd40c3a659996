/** A real daemon with the real engine and a counting test model, in a home of its own. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { watchDaemon } from '../dist/cli/control-client.js'
import { writeTestModel } from '../dist/model/test-model.js'
import { freePort } from './local.mjs'

const BIN = fileURLToPath(new URL('../bin/oss20bd', import.meta.url))
/** As src/cli/spawn-daemon.ts starts it. */
const NODE_FLAGS = ['--max-semi-space-size=2', '--v8-pool-size=1']
const STOP_WITHIN_MS = 20_000
const READY_WITHIN_MS = 60_000
export const SLOTS = 4

/**
 * Every restart at once and never in safe mode, however many deaths; a hang is found soon. With one thread the
 * tiny model is faster than with two, which would wait for each other beside the daemon and eight clients.
 */
function configText(engineFolder) {
  return `
[engine]
path = ${JSON.stringify(join(engineFolder, 'bin', 'llama-server'))}
startTimeout = "10s"
extraArgs = ["--threads", "1"]
[model]
contextTokens = ${SLOTS * 4096}
slots = ${SLOTS}
[restart]
baseDelay = "0s"
safeModeAfter = 1000
giveUpAfter = 1000
[health]
hangTimeout = "5s"
scrapeInterval = "1s"
`
}

/** What must not be left behind when we are interrupted. */
const leftovers = new Set()

export function cleanUpNow() {
  for (const cleanUp of leftovers) cleanUp()
}

/** Resolves once the engine is ready. */
export async function startDaemon(variant) {
  const engineFolder = process.env.OSS20BD_TEST_ENGINE
  if (!engineFolder) throw new Error('OSS20BD_TEST_ENGINE is not set: run `npm run chaos`')
  // Short, for socket paths.
  const home = mkdtempSync('/tmp/oc-')
  let child
  let view
  let isKept = false
  const remove = () => {
    leftovers.delete(remove)
    if (child?.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      // One that is stopped does not see that its daemon is gone.
      killQuietly(view?.now().pid ?? null)
    }
    if (!isKept) rmSync(home, { recursive: true, force: true, maxRetries: 5 })
  }
  leftovers.add(remove)
  mkdirSync(join(home, 'models'))
  const template = readFileSync(
    join(engineFolder, 'templates', 'openai-gpt-oss-120b.jinja'),
    'utf8',
  )
  await writeTestModel(join(home, 'models', 'current'), { template, variant })
  writeFileSync(join(home, 'config.toml'), configText(engineFolder))
  const port = await freePort()
  child = await spawnDaemon(home, port)
  const socketPath = join(home, 'run', 'control.sock')
  view = watch(socketPath)
  const daemon = {
    variant,
    home,
    target: { host: '127.0.0.1', port },
    engine: { socketPath: join(home, 'run', 'engine.sock') },
    view,
    get isGone() {
      return child.exitCode !== null || child.signalCode !== null
    },
    pid: child.pid,
    requests: () => getJson(socketPath, '/requests?recent=0'),
    journal: () => readJournal(home),
    /** Leaves the home for somebody to look at. */
    keep: () => (isKept = true),
    async stop() {
      view.stop()
      if (!daemon.isGone) {
        const gone = once(child, 'exit')
        child.kill('SIGTERM')
        await Promise.race([gone, sleep(STOP_WITHIN_MS, undefined, { ref: false })])
      }
      remove()
    },
  }
  await view.until(({ state }) => state === 'ready')
  return daemon
}

function killQuietly(pid) {
  try {
    if (pid !== null) process.kill(pid, 'SIGKILL')
  } catch {
    // It is gone already.
  }
}

async function spawnDaemon(home, port) {
  const out = openSync(join(home, 'daemon.out'), 'a')
  const child = spawn(process.execPath, [...NODE_FLAGS, BIN, 'daemon', '--background'], {
    stdio: ['ignore', out, out, 'ipc'],
    env: {
      PATH: process.env.PATH,
      HOME: home,
      OSS20BD_HOME: home,
      OSS20BD_PROXY_PORT: String(port),
    },
  })
  closeSync(out)
  const report = await Promise.race([
    once(child, 'message').then(([message]) => message),
    once(child, 'exit').then(([code, signal]) => ({ kind: `ended with ${code ?? signal}` })),
  ])
  if (report.kind === 'listening') return child
  child.kill('SIGKILL')
  const said = readFileSync(join(home, 'daemon.out'), 'utf8')
  throw new Error(`The daemon does not run: ${JSON.stringify(report)}\n${said}`)
}

/** The engine as the daemon tells it: `now()` is `{ pid, state }`, and `onChange` hears of each change. */
function watch(socketPath) {
  const stopped = new AbortController()
  const listeners = new Set()
  let engine = { pid: null, state: 'down' }
  const follow = async () => {
    for await (const status of watchDaemon(socketPath, stopped.signal)) {
      const { pid, state } = status.engine
      engine = { pid, state }
      for (const listener of listeners) listener(engine)
    }
  }
  follow().catch(() => undefined)
  const onChange = (listener) => {
    listeners.add(listener)
    return () => listeners.delete(listener)
  }
  return {
    now: () => engine,
    onChange,
    async until(isSo) {
      if (isSo(engine)) return engine
      let off
      const found = new Promise((resolve) => {
        off = onChange((now) => isSo(now) && resolve(now))
      })
      const late = sleep(READY_WITHIN_MS, null, { ref: false })
      const end = await Promise.race([found, late])
      off()
      if (end === null) throw new Error(`The engine stays ${engine.state}, pid ${engine.pid}`)
      return end
    },
    stop: () => stopped.abort(),
  }
}

function getJson(socketPath, path) {
  return new Promise((resolve, reject) => {
    const request = http.get({ socketPath, path, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (piece) => (text += piece))
      response.on('end', () => resolve(JSON.parse(text)))
      response.on('error', reject)
    })
    request.on('error', reject)
  })
}

function readJournal(home) {
  const text = readFileSync(join(home, 'logs', 'journal.log'), 'utf8')
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line))
}
