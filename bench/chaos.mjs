/**
 * npm run chaos: kills the real engine under load and checks that no app is any the worse for it. Prints the
 * account of all requests; exit status 1 when anything in it is off.
 *
 *   --kills N     eight clients with requests of every kind, N deaths (default 200)
 *   --streams N   one stream after another, N deaths in the middle of them (default 100)
 *                 With one of the two, only that one.
 *   --seed N      what is asked, which signal and when (default 1). The same seed asks the same again; how the
 *                 requests meet still hangs on the machine.
 *   --keep        leaves the homes (logs, journal, answers that are off) there; they are left as well when something is off
 *
 * The engine dies of SIGKILL and SIGSEGV, and stands still by SIGSTOP. After each death the killer waits until
 * every request that was open is over or has had its first byte since, and until no stream is open that went on
 * twice: the port refuses a request in flight at two deaths, and goes on with a stream twice at most, by design.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Account, takeSamples } from './chaos-account.mjs'
import { cleanUpNow, startDaemon } from './chaos-daemon.mjs'
import { kindsOf, VARIANTS } from './chaos-kinds.mjs'
import { runLoad } from './chaos-load.mjs'
import { runStreams } from './chaos-streams.mjs'
import { reportOf } from './chaos-report.mjs'

const { values: options } = parseArgs({
  options: {
    kills: { type: 'string' },
    streams: { type: 'string' },
    seed: { type: 'string', default: '1' },
    keep: { type: 'boolean', default: false },
  },
})
const isPart = options.kills !== undefined || options.streams !== undefined
const seed = numberOf('--seed', options.seed, 1)
const parts = [
  {
    name: 'load',
    run: runLoad,
    kills: numberOf('--kills', options.kills, isPart ? 0 : 200),
    kindsOf,
  },
  {
    name: 'streams',
    run: runStreams,
    kills: numberOf('--streams', options.streams, isPart ? 0 : 100),
    kindsOf: (variant) => kindsOf(variant).filter(isCounting),
  },
]

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    cleanUpNow()
    process.exit(1)
  })
}

let isFine = true
for (const part of parts) {
  if (part.kills > 0) isFine = (await runPart(part)) && isFine
}
console.log(isFine ? 'chaos: all is well' : 'chaos: something is off')
process.exitCode = isFine ? 0 : 1

/** The plain streams that go on. A completion does not care which variant it is. */
function isCounting({ isStream, goesOn, name, api, variant }) {
  if (!isStream || goesOn !== 'always' || name.includes('tools')) return false
  return api !== 'completions' || variant === VARIANTS[0]
}

/** Half of the deaths with each model. */
async function runPart({ name, run, kills, kindsOf: kindsFor }) {
  const scenes = []
  const started = performance.now()
  for (const [index, variant] of VARIANTS.entries()) {
    const share = index === 0 ? Math.ceil(kills / 2) : Math.floor(kills / 2)
    if (share > 0)
      scenes.push(await runScene({ name, run, share, seed: seed + index, variant, kindsFor }))
  }
  const seconds = Math.round((performance.now() - started) / 1000)
  const { lines, faults } = reportOf(name, scenes, seconds)
  for (const line of lines) console.log(line)
  return faults === 0
}

async function runScene({ name, run, share, seed: sceneSeed, variant, kindsFor }) {
  const daemon = await startDaemon(variant)
  try {
    const kinds = kindsFor(variant)
    const account = new Account(daemon, await takeSamples(daemon, kinds))
    const onKill = (number, what) => {
      const off = account.ended.filter(({ verdict }) => verdict === 'off').length
      console.log(
        `${name}, ${variant}: ${number}/${share} ${what}, ${account.ended.length} requests over, ${account.open} open, ${off} off`,
      )
    }
    const counts = await run({ daemon, account, kinds, kills: share, seed: sceneSeed, onKill })
    const { totals } = await daemon.requests()
    const scene = { variant, account, counts, totals, journal: daemon.journal(), daemon }
    const isOff = reportOf(name, [scene], 0).faults > 0
    if (isOff || options.keep) {
      daemon.keep()
      writeOff(daemon.home, account)
      console.log(`${name}, ${variant}: its home is left at ${daemon.home}`)
    }
    return scene
  } catch (error) {
    daemon.keep()
    console.log(`${name}, ${variant}: its home is left at ${daemon.home}`)
    throw error
  } finally {
    await daemon.stop()
  }
}

/** What came instead, for somebody to look at. */
function writeOff(home, account) {
  const off = account.ended.filter(({ verdict }) => verdict === 'off')
  for (const [index, { kind, tokens, why, at, outcome }] of off.entries()) {
    const head = `${at} ${kind.name}, ${tokens} tokens: ${why}\n\n`
    writeFileSync(join(home, `off-${index + 1}.txt`), `${head}${outcome.body}`)
  }
}

function numberOf(name, text, otherwise) {
  if (text === undefined) return otherwise
  if (!/^\d{1,6}$/.test(text)) {
    console.error(`${name} must be a whole number from 0, got "${text}"`)
    process.exit(2)
  }
  return Number(text)
}
