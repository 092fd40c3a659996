/** Eight clients that ask without a pause, and somebody who kills the engine at any moment. */
import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { createDice, pick } from './chaos-dice.mjs'

const CLIENTS = 8
/** The next engine is killed at the latest so long after it could be. */
const LONGEST_WAIT_MS = 900
const SIGNALS = ['SIGKILL', 'SIGSEGV', 'SIGSTOP']
/** A hang takes 6 s to be found, a death none. */
const SIGNAL_WEIGHTS = { SIGKILL: 2, SIGSEGV: 2, SIGSTOP: 1 }
/** One in so many engines is killed while it loads. */
const ONE_WHILE_LOADING = 12

/**
 * Kills the engine so often; resolves when every request is over. `onKill` hears of each death with its number
 * and what it was.
 */
export async function runLoad({ daemon, account, kinds, kills, seed, onKill }) {
  const stopped = new AbortController()
  const clients = Array.from({ length: CLIENTS }, (_, index) =>
    runClient(account, kinds, createDice(seed * 1000 + index), index, stopped.signal),
  )
  const counts = new Map()
  try {
    const dice = createDice(seed)
    const signals = plan(dice, kills)
    for (const [index, signal] of signals.entries()) {
      const moment = await killOne(daemon, account, dice, signal)
      const name = `${signal} ${moment}`
      counts.set(name, (counts.get(name) ?? 0) + 1)
      onKill(index + 1, name)
    }
    await daemon.view.until(({ state, pid }) => state === 'ready' && !account.isKilled(pid))
  } finally {
    stopped.abort()
    await Promise.all(clients)
  }
  return counts
}

/** Each signal at least once, where there are kills enough. */
function plan(dice, kills) {
  return Array.from({ length: kills }, (_, index) =>
    index < SIGNALS.length
      ? SIGNALS[index]
      : pick(dice, SIGNALS, (signal) => SIGNAL_WEIGHTS[signal]),
  )
}

async function killOne(daemon, account, dice, signal) {
  const whileLoading = dice(ONE_WHILE_LOADING) === 0
  const waitMs = dice(LONGEST_WAIT_MS)
  for (;;) {
    const { state, pid } = await daemon.view.until(
      (now) =>
        now.pid !== null &&
        !account.isKilled(now.pid) &&
        (now.state === 'ready' || (whileLoading && now.state === 'starting')),
    )
    if (state === 'ready') {
      await account.untilMayKill()
      await sleep(waitMs)
      await account.untilMayKill()
    }
    const now = daemon.view.now()
    if (now.pid === pid && now.state === state && account.kill(now, signal)) {
      return state === 'ready' ? 'at work' : 'loading'
    }
  }
}

async function runClient(account, kinds, dice, index, signal) {
  // Half of them keep their connection, the others open one for each request.
  const agent = index % 2 === 0 ? new http.Agent({ keepAlive: true, maxSockets: 1 }) : false
  while (!signal.aborted) {
    const kind = pick(dice, kinds)
    const tokens = kind.isStream ? 100 + dice(700) : 70 + dice(250)
    await account.ask(kind, tokens, { agent })
    await sleep(dice(30))
  }
  if (agent !== false) agent.destroy()
}
