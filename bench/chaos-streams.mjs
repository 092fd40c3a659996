/** One stream after another, each with the engine killed under it at a word chosen by chance. */
import { createDice } from './chaos-dice.mjs'
import { eventsOf, readAnswer } from './chaos-reading.mjs'

const SHORTEST_TOKENS = 500
const LONGEST_TOKENS = 1400
/** A hang takes 6 s to be found: it is the fifth of so many kills. */
const ONE_HANGS = 20

/** Resolves after so many kills that hit a stream; gives what was killed, by signal. */
export async function runStreams({ daemon, account, kinds, kills, seed, onKill }) {
  const dice = createDice(seed)
  const counts = new Map()
  let done = 0
  for (let index = 0; done < kills; index += 1) {
    const kind = kinds[index % kinds.length]
    const tokens = SHORTEST_TOKENS + dice(LONGEST_TOKENS - SHORTEST_TOKENS)
    const cuts = cutsOf(dice, tokens, kills - done)
    await daemon.view.until(({ state, pid }) => state === 'ready' && !account.isKilled(pid))
    const killed = await killWithin({ daemon, account, kind, tokens, cuts, done })
    for (const signal of killed) {
      done += 1
      counts.set(signal, (counts.get(signal) ?? 0) + 1)
      onKill(done, `${signal} ${kind.name}`)
    }
  }
  await daemon.view.until(({ state, pid }) => state === 'ready' && !account.isKilled(pid))
  return counts
}

/** After how many digits the engine dies: once or, as no stream goes on more often, twice. */
function cutsOf(dice, tokens, most) {
  const count = Math.min(most, 1 + dice(2))
  return Array.from({ length: count }, () => dice(tokens)).toSorted((a, b) => a - b)
}

function signalOf(number) {
  return number % ONE_HANGS === 5 ? 'SIGSTOP' : 'SIGKILL'
}

/** The signals that were sent while the stream was open. */
async function killWithin({ daemon, account, kind, tokens, cuts, done }) {
  const sent = []
  let said = 0
  let rest = ''
  const killIfDue = () => {
    const afterDigits = cuts[sent.length] ?? Infinity
    const engine = daemon.view.now()
    if (said < afterDigits || engine.state !== 'ready') return
    const signal = signalOf(done + sent.length + 1)
    if (account.kill(engine, signal)) sent.push(signal)
  }
  const off = daemon.view.onChange(killIfDue)
  const onBytes = (bytes) => {
    const cut = eventsOf(rest + bytes.toString('utf8'))
    rest = cut.rest
    for (const event of cut.events) said += digitsIn(kind, event)
    killIfDue()
  }
  await account.ask(kind, tokens, { onBytes })
  off()
  return sent
}

function digitsIn(kind, event) {
  const told = readAnswer(kind.api, true, Buffer.from(`${event}\n\n`))
  let digits = 0
  for (const choice of told.choices.values()) digits += choice[kind.counts].length
  return digits
}
