/** Keeps every request of a scene from its start to its judgement, and which engines died under it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { ask } from './chaos-client.mjs'
import { judge, SAMPLE_TOKENS } from './chaos-judge.mjs'
import { readAnswer } from './chaos-reading.mjs'

const LOOK_EVERY_MS = 5

/** What the engine itself answers to each kind, past the port and undisturbed. */
export async function takeSamples(daemon, kinds) {
  const samples = new Map()
  for (const kind of kinds) {
    const { path, body, api, isStream, name } = kind
    const outcome = await ask({ target: daemon.engine, path, body: body(SAMPLE_TOKENS) })
    if (outcome.status !== 200 || outcome.ended !== 'end') {
      throw new Error(`${name}: no sample: ${outcome.status} ${outcome.ended} ${outcome.body}`)
    }
    samples.set(kind, readAnswer(api, isStream, outcome.body))
  }
  return samples
}

export class Account {
  #daemon
  #samples
  #open = new Set()
  #dying = null
  #deaths = new Set()
  /** Everything that was asked: `{ kind, tokens, verdict, why, continuations, cuts, tookMs, ... }`. */
  ended = []
  /** Engines that died without us. */
  strangeDeaths = []
  sent = 0

  constructor(daemon, samples) {
    this.#daemon = daemon
    this.#samples = samples
    let last = daemon.view.now()
    daemon.view.onChange((now) => {
      const died = last.state === 'ready' && (now.state !== 'ready' || now.pid !== last.pid)
      if (died && !this.isKilled(last.pid)) {
        this.strangeDeaths.push(last.pid)
        this.#markAll(last.pid)
      }
      if (died) this.#dying = null
      last = now
    })
  }

  /** Asks and judges; resolves with the entry of `ended`. */
  async ask(kind, tokens, { agent, onHead, onBytes } = {}) {
    this.sent += 1
    const open = { kind, tokens, started: false, cuts: new Set() }
    if (this.#dying !== null) open.cuts.add(this.#dying)
    this.#open.add(open)
    const outcome = await ask({
      target: this.#daemon.target,
      agent,
      path: kind.path,
      body: kind.body(tokens),
      onHead: () => {
        open.started = true
        onHead?.()
      },
      onBytes,
    })
    this.#open.delete(open)
    const cuts = open.cuts.size
    const entry = {
      ...judge(kind, tokens, this.#samples.get(kind), outcome, cuts),
      at: new Date().toISOString(),
      kind,
      tokens,
      cuts,
      outcome,
    }
    if (entry.verdict !== 'off') outcome.body = null
    this.ended.push(entry)
    return entry
  }

  /** Sends the signal to the engine, which is over with it sooner or later; false when it was not there. */
  kill({ pid, state }, signal) {
    if (this.#deaths.has(pid)) return false
    try {
      process.kill(pid, signal)
    } catch {
      return false
    }
    this.#deaths.add(pid)
    // One that still loads has no requests.
    if (state !== 'ready') return true
    // Until it is seen to be dead it may get more, all of which it takes along.
    this.#dying = pid
    this.#markAll(pid)
    return true
  }

  isKilled(pid) {
    return this.#deaths.has(pid)
  }

  get deaths() {
    return this.#deaths.size
  }

  get open() {
    return this.#open.size
  }

  /**
   * By design a request that was in flight at two deaths before its first byte is refused (it may be their
   * cause), and a stream goes on twice. So that what we kill says nothing of those two rules, a further
   * engine may die only when no request is near them.
   */
  get mayKill() {
    for (const { cuts, started } of this.#open) {
      if (cuts.size >= 2 || (cuts.size === 1 && !started)) return false
    }
    return true
  }

  async untilMayKill() {
    while (!this.mayKill) await sleep(LOOK_EVERY_MS)
  }

  #markAll(pid) {
    for (const { cuts } of this.#open) cuts.add(pid)
  }
}
