/**
 * Measures the downloader beside curl, and the check beside openssl, with 2 GB on loopback.
 *
 *   node bench/pull.mjs [ROUNDS]     after: npm run build
 */
import { execFileSync, fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { median } from './numbers.mjs'

const { buildTestModel } = await import('../dist/model/test-model.js')
const HEAD = buildTestModel({ template: 'x' })
const BLOCK = Buffer.alloc(4 * 2 ** 20, 'gpt-oss 20b, ')
const SIZE = 2_000_000_000

if (process.argv[2] === 'serve') serve()
else await measure(Number(process.argv[2] ?? 2))

/** The bytes from `start` on, as many as come in one piece. */
function pieceAt(start, end) {
  if (start < HEAD.length) return HEAD.subarray(start, Math.min(end, HEAD.length))
  const at = (start - HEAD.length) % BLOCK.length
  return BLOCK.subarray(at, at + Math.min(end - start, 2 ** 20))
}

function serve() {
  process.on('disconnect', () => process.exit(0))
  const server = createServer((request, response) => {
    const asked = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '')
    let at = asked === null ? 0 : Number(asked[1])
    const end = asked === null ? SIZE : Math.min(SIZE, Number(asked[2]) + 1)
    response.writeHead(asked === null ? 200 : 206, {
      'content-length': end - at,
      etag: '"v1"',
      ...(asked === null ? {} : { 'content-range': `bytes ${at}-${end - 1}/${SIZE}` }),
    })
    const send = () => {
      while (at < end) {
        const piece = pieceAt(at, end)
        at += piece.length
        if (!response.write(piece) && at < end) return response.once('drain', send)
      }
      response.end()
    }
    send()
  })
  server.listen(0, '127.0.0.1', () => process.send(server.address().port))
}

async function measure(rounds) {
  const { pullModel } = await import('../dist/model/pull.js')
  const { hashFile } = await import('../dist/model/file-hash.js')
  const { systemClock } = await import('../dist/clock.js')
  const server = fork(new URL(import.meta.url), ['serve'])
  const [port] = await once(server, 'message')
  const url = `http://127.0.0.1:${port}/model.gguf`
  const folder = mkdtempSync(join(tmpdir(), 'oss20bd-bench-'))
  const sha256 = sumOf()
  const signal = new AbortController().signal
  const times = { curl: [], curlSyncSum: [], pull: [], openssl: [], verify: [] }
  // What a busy machine leaves as it is: the time on the clock depends on who else is at work.
  const cpuSeconds = { curl: [], pull: [] }
  let peakRssBytes = 0
  const baseRssBytes = process.memoryUsage.rss()
  const sampler = setInterval(() => {
    peakRssBytes = Math.max(peakRssBytes, process.memoryUsage.rss())
  }, 50)
  try {
    for (let round = 0; round < rounds; round += 1) {
      const byCurl = join(folder, 'curl.gguf')
      let cpu = 0
      const curlMs = timed(() => {
        cpu = childCpuSeconds('curl -sS -o "$0" "$1"', [byCurl, url])
      })
      cpuSeconds.curl.push(cpu)
      const syncMs = timed(() => execFileSync('sync', [byCurl]))
      const sumMs = timed(() => execFileSync('openssl', ['dgst', '-sha256', byCurl]))
      times.curl.push(curlMs)
      // The same work as a pull: on the disk for sure, and checked.
      times.curlSyncSum.push(curlMs + syncMs + sumMs)
      times.openssl.push(sumMs)
      const startedAtMs = performance.now()
      await hashFile(byCurl, SIZE, () => undefined, signal)
      times.verify.push(performance.now() - startedAtMs)
      rmSync(byCurl)
      const before = process.cpuUsage()
      times.pull.push(await pullOnce(pullModel, systemClock, folder, url, sha256, signal))
      const { user, system } = process.cpuUsage(before)
      cpuSeconds.pull.push((user + system) / 1e6)
      execFileSync('sync')
    }
  } finally {
    clearInterval(sampler)
    server.disconnect()
    rmSync(folder, { recursive: true, force: true })
  }
  report(times, cpuSeconds, baseRssBytes, peakRssBytes)
}

async function pullOnce(pullModel, clock, folder, url, sha256, signal) {
  const destination = join(folder, 'pull.gguf')
  const startedAtMs = performance.now()
  await pullModel({
    url,
    token: null,
    tokenOrigin: 'none',
    destination,
    expected: [{ bytes: SIZE, sha256 }],
    onProgress: () => undefined,
    signal,
    clock,
    log: { info: () => undefined, warn: console.warn },
  })
  const tookMs = performance.now() - startedAtMs
  rmSync(destination)
  return tookMs
}

function sumOf() {
  const hash = createHash('sha256')
  for (let at = 0; at < SIZE;) {
    const piece = pieceAt(at, SIZE)
    hash.update(piece)
    at += piece.length
  }
  return hash.digest('hex')
}

function timed(work) {
  const startedAtMs = performance.now()
  work()
  return performance.now() - startedAtMs
}

/** What a command takes of the processors, of all that it starts. */
function childCpuSeconds(command, args) {
  const told = execFileSync('bash', ['-c', `${command}; times`, ...args], { encoding: 'utf8' })
  const children = told.trim().split('\n').at(-1)
  return [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, [, minutes, seconds]) => sum + Number(minutes) * 60 + Number(seconds),
    0,
  )
}

function report(times, cpu, baseRssBytes, peakRssBytes) {
  const medians = (series, unit) =>
    Object.fromEntries(
      Object.entries(series).map(([name, all]) => [name, Number((median(all) / unit).toFixed(2))]),
    )
  // Round by round: what else the machine does in a round slows both.
  const ratio = (one, other) =>
    Number(median(times[one].map((ms, round) => times[other][round] / ms)).toFixed(2))
  const mib = (bytes) => Math.round(bytes / 2 ** 20)
  console.log(
    JSON.stringify(
      {
        bytes: SIZE,
        seconds: medians(times, 1000),
        cpuSeconds: medians(cpu, 1),
        pullToCurl: ratio('pull', 'curl'),
        pullToCurlSyncSum: ratio('pull', 'curlSyncSum'),
        verifyToOpenssl: ratio('verify', 'openssl'),
        rssMiB: { before: mib(baseRssBytes), peak: mib(peakRssBytes) },
      },
      undefined,
      2,
    ),
  )
}
