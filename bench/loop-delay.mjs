/**
 * Preloaded into the daemon by bench/supervision.mjs (`node --import`): measures its event loop, or profiles it,
 * when told to over the socket BENCH_PROBE_SOCKET. Costs nothing before that. When the bench goes away, so does the daemon.
 */
import { writeFileSync } from 'node:fs'
import inspector from 'node:inspector'
import { createServer } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createInterface } from 'node:readline'

const path = process.env.BENCH_PROBE_SOCKET
delete process.env.BENCH_PROBE_SOCKET

let delay
let session

const actions = {
  start() {
    // A new one each time: one that was disabled and enabled again counts the pause as a delay.
    delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
  },
  stop() {
    delay.disable()
    return {
      p50Ms: delay.percentile(50) / 1e6,
      p99Ms: delay.percentile(99) / 1e6,
      p999Ms: delay.percentile(99.9) / 1e6,
      maxMs: delay.max / 1e6,
      samples: delay.count,
    }
  },
  async 'profile-start'() {
    session = new inspector.Session()
    session.connect()
    await post('Profiler.enable')
    await post('Profiler.setSamplingInterval', { interval: 200 })
    await post('Profiler.start')
  },
  async 'profile-stop'({ file }) {
    const { profile } = await post('Profiler.stop')
    session.disconnect()
    writeFileSync(file, JSON.stringify(profile))
  },
}

function post(method, params) {
  return new Promise((resolve, reject) => {
    session.post(method, params, (error, result) => (error ? reject(error) : resolve(result)))
  })
}

function serve(socket) {
  socket.unref()
  socket.on('error', () => undefined)
  socket.on('close', () => process.kill(process.pid, 'SIGTERM'))
  createInterface({ input: socket }).on('line', (line) => void obey(socket, JSON.parse(line)))
}

async function obey(socket, command) {
  const answer = await actions[command.do](command)
  socket.write(`${JSON.stringify(answer ?? null)}\n`)
}

if (path !== undefined) createServer(serve).listen(path).unref()
