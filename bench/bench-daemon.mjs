/** A real daemon with the engine of test/fixtures/bench-engine.mjs, in a home of its own, for bench/supervision.mjs. */
import { execFileSync, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, closeSync, mkdirSync, mkdtempSync, openSync, readFileSync } from 'node:fs'
import { rmSync, statSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { connectProbe, freePort } from './local.mjs'

const PROBE = new URL('loop-delay.mjs', import.meta.url)
const REFERENCE = fileURLToPath(new URL('reference.mjs', import.meta.url))
const ENGINE = fileURLToPath(new URL('../test/fixtures/bench-engine.mjs', import.meta.url))
/** As src/cli/spawn-daemon.ts starts it. */
const NODE_FLAGS = ['--max-semi-space-size=2', '--v8-pool-size=1']
const STOP_WITHIN_MS = 20_000
const WAIT_MS = 30_000

/** Every restart at once, never in safe mode, and no wait for the endless streams at the stop. */
const CONFIG = `
[restart]
baseDelay = "0s"
safeModeAfter = 1000
giveUpAfter = 1000
[engine]
drainTimeout = "0s"
exitGrace = "2s"
`

/** What must not be left behind when the bench is interrupted. */
const leftovers = new Set()

/** For the end that is not the end of the work: a signal. */
export function cleanUpNow() {
  for (const cleanUp of leftovers) cleanUp()
}

/** Prints the time first thing; `date` of a Mac may have no nanoseconds. */
const PRINT_NS =
  process.platform === 'linux'
    ? 'date +%s%N'
    : `perl -MTime::HiRes=time -e 'printf "%d\\n", time * 1e9'`

/** An engine.path that writes down its pid and when it began to exist, then becomes the engine. */
function writeStampingScript(home) {
  const file = join(home, 'engine.sh')
  const stamp = `printf '%s %s\\n' "$$" "$(${PRINT_NS})" >> '${join(home, 'stamps')}'`
  const isQuestion = `if [ "$1" = --version ]; then exec '${process.execPath}' '${ENGINE}' "$@"; fi`
  const become = `exec '${process.execPath}' '${ENGINE}' "$@"`
  writeFileSync(file, `#!/bin/sh\n${isQuestion}\n${stamp}\n${become}\n`)
  chmodSync(file, 0o755)
  return file
}

/** How long after its start a stamping script writes the stamp, in ms: one stamps, then becomes another. */
export function stampDelayMs() {
  const home = mkdtempSync(join(tmpdir(), 'ob-'))
  const inner = join(home, 'inner')
  const outer = join(home, 'outer')
  writeFileSync(inner, `#!/bin/sh\nprintf '%s %s\\n' "$$" "$(${PRINT_NS})"\n`)
  writeFileSync(outer, `#!/bin/sh\n${PRINT_NS}\nexec '${inner}'\n`)
  for (const file of [inner, outer]) chmodSync(file, 0o755)
  try {
    const [first, second] = execFileSync(outer, { encoding: 'utf8' }).trim().split('\n')
    return Number(BigInt(second.split(' ')[1]) - BigInt(first)) / 1e6
  } finally {
    rmSync(home, { recursive: true })
  }
}

/**
 * A process of reference.mjs with the same probe as the daemon; `first` is what it told first. It ends with us at
 * the latest.
 */
export async function startReference(...args) {
  const home = mkdtempSync(join(tmpdir(), 'ob-'))
  const probeSocket = join(home, 'probe.sock')
  const child = fork(REFERENCE, args, {
    execArgv: ['--import', PROBE.href],
    env: { ...process.env, BENCH_PROBE_SOCKET: probeSocket },
  })
  const remove = () => {
    leftovers.delete(remove)
    child.kill('SIGKILL')
    rmSync(home, { recursive: true, force: true, maxRetries: 5 })
  }
  leftovers.add(remove)
  try {
    const [first] = await once(child, 'message')
    return { first, probe: await connectProbe(probeSocket), stop: remove }
  } catch (error) {
    remove()
    throw error
  }
}

/** A Node process that does nothing but start the engine again when it ends. */
export async function startBareRespawn() {
  const home = mkdtempSync(join(tmpdir(), 'ob-'))
  const engine = { socketPath: join(home, 'engine.sock') }
  const reference = await startReference('respawn', writeStampingScript(home), engine.socketPath)
  const stop = () => {
    leftovers.delete(stop)
    reference.stop()
    rmSync(home, { recursive: true, force: true, maxRetries: 5 })
  }
  leftovers.add(stop)
  return {
    spawns: () => readStamps(home),
    untilSpawn: (count) => untilSpawn(home, count),
    untilAnswer: () => untilAnswer(engine),
    stop,
  }
}

/** Starts one. `root` is the checkout (bin/ and dist/) that is measured. */
export async function startBenchDaemon({ root, logsOnSmallDisk = false }) {
  const home = mkdtempSync(join(tmpdir(), 'ob-'))
  const logs = join(home, 'logs')
  const engineSocket = join(home, 'run', 'engine.sock')
  const state = { child: undefined, mounted: false }
  const remove = () => {
    leftovers.delete(remove)
    state.child?.kill('SIGKILL')
    // Lazily: the dying daemon may still hold a file in it.
    if (state.mounted) execFileSync('/bin/umount', ['-l', logs])
    rmSync(home, { recursive: true, force: true, maxRetries: 5 })
  }
  leftovers.add(remove)
  try {
    mkdirSync(join(home, 'models'))
    mkdirSync(logs)
    if (logsOnSmallDisk) {
      execFileSync('/bin/mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', logs], { stdio: 'pipe' })
      state.mounted = true
    }
    const modelModule = pathToFileURL(join(root, 'dist', 'model', 'test-model.js')).href
    const { writeTestModel } = await import(modelModule)
    await writeTestModel(join(home, 'models', 'current'), { template: '<|channel|>' })
    writeFileSync(join(home, 'config.toml'), CONFIG)
    const port = await freePort()
    state.child = await spawnDaemon({ root, home, port, engine: writeStampingScript(home) })
    const probe = await connectProbe(join(home, 'probe.sock'))
    const daemon = {
      pid: state.child.pid,
      port: { host: '127.0.0.1', port },
      engine: { socketPath: engineSocket },
      probe,
      logs,
      fillDisk: () => fillDisk(logs),
      spawns: () => readStamps(home),
      untilSpawn: (count) => untilSpawn(home, count),
      untilAnswer: () => untilAnswer({ host: '127.0.0.1', port }),
      events: () => readEvents(logs),
      async stop() {
        if (state.child.exitCode === null && state.child.signalCode === null) {
          const gone = once(state.child, 'exit')
          state.child.kill('SIGTERM')
          await Promise.race([gone, sleep(STOP_WITHIN_MS, undefined, { ref: false })])
        }
        remove()
      },
    }
    await daemon.untilAnswer()
    return daemon
  } catch (error) {
    remove()
    throw error
  }
}

async function spawnDaemon({ root, home, port, engine }) {
  const out = openSync(join(home, 'daemon.out'), 'a')
  const args = [...NODE_FLAGS, '--import', PROBE.href, join(root, 'bin', 'oss20bd'), 'daemon']
  const child = spawn(process.execPath, [...args, '--background'], {
    stdio: ['ignore', out, out, 'ipc'],
    env: {
      PATH: process.env.PATH,
      HOME: home,
      OSS20BD_HOME: home,
      OSS20BD_PROXY_PORT: String(port),
      OSS20BD_ENGINE_PATH: engine,
      BENCH_PROBE_SOCKET: join(home, 'probe.sock'),
    },
  })
  closeSync(out)
  const report = await Promise.race([
    once(child, 'message').then(([message]) => message),
    once(child, 'exit').then(([code, signal]) => ({ kind: `ended with ${code ?? signal}` })),
  ])
  if (report.kind !== 'listening') {
    child.kill('SIGKILL')
    const said = readFileSync(join(home, 'daemon.out'), 'utf8')
    throw new Error(`The daemon does not run: ${JSON.stringify(report)}\n${said}`)
  }
  return child
}

/** Ballast until nothing fits. */
function fillDisk(folder) {
  for (const size of [2 ** 20, 4096, 1]) {
    try {
      for (;;) writeFileSync(join(folder, 'ballast'), Buffer.alloc(size), { flag: 'a' })
    } catch (error) {
      if (error.code !== 'ENOSPC') throw error
    }
  }
}

/** The engines that were started so far: pid, and when it wrote that down, in ms since 1970. */
function readStamps(home) {
  const lines = readFileSync(join(home, 'stamps'), 'utf8').split('\n').slice(0, -1)
  return lines.map((line) => {
    const [pid, atNs] = line.split(' ')
    return { pid: Number(pid), atMs: Number(BigInt(atNs) / 1000n) / 1000 }
  })
}

async function untilSpawn(home, count) {
  const until = performance.now() + WAIT_MS
  for (let size = -1; performance.now() < until; await sleep(10)) {
    const now = statSync(join(home, 'stamps')).size
    if (now === size) continue
    size = now
    const spawns = readStamps(home)
    if (spawns.length >= count) return spawns[count - 1]
  }
  throw new Error(`Engine ${count} was not started within ${WAIT_MS / 1000} s`)
}

/** An answer through the port proves the engine ready; asked anew when it died in between. */
async function untilAnswer(target) {
  const until = performance.now() + WAIT_MS
  for (;;) {
    const text = await post(target, '/v1/chat/completions', {}).catch((error) => {
      if (performance.now() > until) throw error
      return null
    })
    if (text !== null) return
    await sleep(10)
  }
}

function readEvents(logs) {
  const text = readFileSync(join(logs, 'journal.log'), 'utf8')
  return text.split('\n').slice(0, -1).map(JSON.parse)
}

/** One request with a JSON body; resolves with the text of its answer. */
export function post(target, path, body) {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' }
    const options = { ...target, path, method: 'POST', headers, agent: false }
    const request = http.request(options, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk) => (text += chunk))
      response.on('error', reject)
      response.on('end', () => {
        if (response.statusCode === 200) resolve(text)
        else reject(new Error(`${path}: ${response.statusCode} ${text}`))
      })
    })
    request.on('error', reject)
    request.end(JSON.stringify(body))
  })
}
