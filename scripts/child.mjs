/** Runs a child process for the scripts, which never leave one behind. */
import { spawn } from 'node:child_process'
import { constants } from 'node:os'

const FIRST_LINES = 6
const LAST_LINES = 14
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP']

/**
 * Runs a command with our own terminal and resolves to its exit status (128 + number after a signal).
 * Rejects only when the command cannot be started.
 */
export async function runAttached(command, args, { cwd, env = process.env } = {}) {
  const child = spawn(command, args, { cwd, env, stdio: 'inherit' })
  // Ctrl-C in a terminal reaches the child by itself; a second copy would mean "leave at once".
  const terminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY
  const stopForwarding = onSignals((signal) => {
    if (signal !== 'SIGINT' || !terminal) child.kill(signal)
  })
  return ended(child).finally(stopForwarding)
}

/**
 * Runs a command, hands each line of its output to `onLine`, and resolves to
 * `{ status, said }`: the first and last lines that `onLine` did not claim by returning true (npm says
 * the reason first, a compiler last).
 */
export async function runWatched(command, args, { cwd, env = process.env, onLine }) {
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const stopForwarding = onSignals((signal) => {
    child.kill(signal)
    void ended(child).then(() => process.exit(128 + constants.signals[signal]))
  })
  const first = []
  const last = []
  const take = (line) => {
    if (onLine(line) === true || line.trim() === '') return
    if (first.length < FIRST_LINES) first.push(line)
    else last.push(line)
    if (last.length > LAST_LINES) last.shift()
  }
  const drained = Promise.all([eachLine(child.stdout, take), eachLine(child.stderr, take)])
  const status = await ended(child).finally(stopForwarding)
  await drained
  return { status, said: [...first, ...last] }
}

function ended(child) {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve(code ?? 128 + constants.signals[signal]))
  })
}

async function eachLine(stream, take) {
  let rest = ''
  stream.setEncoding('utf8')
  for await (const chunk of stream) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) take(line)
  }
  if (rest !== '') take(rest)
}

function onSignals(listener) {
  for (const signal of SIGNALS) process.on(signal, listener)
  return () => {
    for (const signal of SIGNALS) process.off(signal, listener)
  }
}
