/** Reads the endless stream of the bench engine directly and through others, and compares when each chunk comes. */
import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { quantile } from './numbers.mjs'

const BODY = JSON.stringify({ stream: true })
const RETRY_MS = 20

/**
 * `targets` are where to connect to, by name; one is `direct`, the one that the others are compared with. Begins at
 * once, and anew whenever a stream breaks.
 */
export function watchStreams(targets) {
  const stopped = new AbortController()
  const sides = Object.entries(targets).map(([name, target]) => ({
    name,
    target,
    chunks: new Map(),
    gapsMs: [],
  }))
  const reading = Promise.all(sides.map((side) => readOn(side, stopped.signal)))
  const has = ({ chunks }, pid, count) =>
    [...chunks.keys()].filter((key) => key.startsWith(`${pid} `)).length >= count
  return {
    /** Resolves when each has had so many chunks of the engine `pid`. */
    async untilChunks(pid, count) {
      while (!sides.every((side) => has(side, pid, count))) await sleep(10)
    },
    /** Resolves to what each but the direct one adds. */
    async stop() {
      stopped.abort()
      await reading
      const direct = sides.find(({ name }) => name === 'direct')
      const others = sides.filter((side) => side !== direct)
      return Object.fromEntries(others.map((side) => [side.name, compare(side, direct)]))
    },
  }
}

async function readOn(side, signal) {
  while (!signal.aborted) {
    await readOnce(side, signal).catch(() => undefined)
    await sleep(RETRY_MS)
  }
}

function readOnce({ target, chunks, gapsMs }, signal) {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' }
    const options = { ...target, path: '/v1/chat/completions', method: 'POST', headers }
    const request = http.request({ ...options, agent: false, signal }, (response) => {
      let rest = ''
      let lastMs
      response.on('data', (bytes) => {
        const arrivedNs = process.hrtime.bigint()
        const arrivedMs = Number(arrivedNs) / 1e6
        if (lastMs !== undefined) gapsMs.push(arrivedMs - lastMs)
        lastMs = arrivedMs
        const events = (rest + bytes).split('\n\n')
        rest = events.pop()
        for (const event of events) {
          const { pid, tick, atNs } = JSON.parse(event.slice('data: '.length))
          // When the engine dies, the port ends the stream with an event of its own.
          if (atNs === undefined) continue
          chunks.set(`${pid} ${tick}`, Number(arrivedNs - BigInt(atNs)) / 1e6)
        }
      })
      response.on('error', reject)
      response.on('close', resolve)
    })
    request.on('error', reject)
    request.end(BODY)
  })
}

/** By the chunks that came both ways. */
function compare({ chunks, gapsMs }, direct) {
  const added = []
  for (const [key, ms] of chunks) {
    const directMs = direct.chunks.get(key)
    if (directMs !== undefined) added.push(ms - directMs)
  }
  return {
    chunks: added.length,
    addedP50Ms: quantile(added, 0.5),
    addedP99Ms: quantile(added, 0.99),
    addedMaxMs: quantile(added, 1),
    p99Ms: quantile([...chunks.values()], 0.99),
    directP99Ms: quantile([...direct.chunks.values()], 0.99),
    gapP99Ms: quantile(gapsMs, 0.99),
    directGapP99Ms: quantile(direct.gapsMs, 0.99),
  }
}
