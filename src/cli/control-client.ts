/**
 * Asks the running daemon over its control socket.
 * With node:http and not got: got alone takes longer to load than the whole of `oss20bd status` may take.
 */
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { createInterface } from 'node:readline'
import { systemClock } from '../clock.ts'
import type { Status } from '../daemon/control-protocol.ts'
import { errnoOf, messageOf, Oss20bdError } from '../errors.ts'
import { errorCodeOf } from './exit-status.ts'
import { field, isRecord, parseJson } from './json.ts'

const ANSWER_TIMEOUT_MS = 10_000
const ASK_AGAIN_AFTER_MS = 100
const brokenOff = new Set(['ECONNRESET', 'EPIPE'])
const MAX_ANSWER_BYTES = 1_048_576

interface Question {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly timeoutMs?: number
}

/** Sends one request and reads the Status it answers. Throws `daemon-not-running`, `timeout` or what the daemon says. */
export function askDaemon(
  socketPath: string,
  method: 'GET' | 'POST',
  path: string,
  timeoutMs: number = ANSWER_TIMEOUT_MS,
): Promise<Status> {
  return askDaemonFor(isStatus, socketPath, { method, path, timeoutMs })
}

/** As `askDaemon`, for any other answer that `isAnswer` knows. */
export async function askDaemonFor<Answer>(
  isAnswer: (value: unknown) => value is Answer,
  socketPath: string,
  { method, path, timeoutMs = ANSWER_TIMEOUT_MS }: Question,
): Promise<Answer> {
  const deadline = AbortSignal.timeout(timeoutMs)
  const ask = (): Promise<unknown> => askOnce(socketPath, method, path, deadline)
  try {
    // Broken off: it ended while we asked, or it is short of files. The second answer tells which.
    const body = await ask().catch(async (error: unknown) => {
      if (method !== 'GET' || !brokenOff.has(errnoOf(error) ?? '')) throw error
      await systemClock.sleep(ASK_AGAIN_AFTER_MS)
      return ask()
    })
    if (isAnswer(body)) return body
    throw unreadable()
  } catch (error) {
    throw deadline.aborted ? noAnswer(timeoutMs) : explain(error)
  }
}

async function askOnce(
  socketPath: string,
  method: string,
  path: string,
  deadline: AbortSignal,
): Promise<unknown> {
  const response = await open(socketPath, method, path, deadline)
  const body = parseJson(await readBody(response))
  if ((response.statusCode ?? 500) >= 400) throw refusal(body)
  return body
}

/** Like `askDaemon`, but null when no daemon is running. */
export async function askIfRunning(socketPath: string): Promise<Status | null> {
  try {
    return await askDaemon(socketPath, 'GET', '/status')
  } catch (error) {
    if (error instanceof Oss20bdError && error.code === 'daemon-not-running') return null
    throw error
  }
}

/** The Status now and at each change, until the daemon goes away (ends) or `signal` aborts (ends). */
export async function* watchDaemon(socketPath: string, signal: AbortSignal): AsyncIterable<Status> {
  let response: IncomingMessage
  try {
    response = await open(socketPath, 'GET', '/events', signal)
  } catch (error) {
    if (signal.aborted || brokenOff.has(errnoOf(error) ?? '')) return
    throw explain(error)
  }
  try {
    for await (const line of createInterface({ input: response, crlfDelay: Infinity })) {
      if (line !== '') yield asStatus(parseJson(line))
    }
  } catch (error) {
    // A connection that breaks is how a daemon that was killed says goodbye.
    if (!signal.aborted && errnoOf(error) !== 'ECONNRESET') throw explain(error)
  } finally {
    response.destroy()
  }
}

function open(
  socketPath: string,
  method: string,
  path: string,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, method, path, agent: false, signal }, resolve)
    outgoing.once('error', reject)
    outgoing.end()
  })
}

async function readBody(response: IncomingMessage): Promise<string> {
  let text = ''
  response.setEncoding('utf8')
  for await (const chunk of response) {
    text += String(chunk)
    if (text.length > MAX_ANSWER_BYTES) throw unreadable()
  }
  return text
}

function asStatus(value: unknown): Status {
  if (isStatus(value)) return value
  throw unreadable()
}

/** Enough to tell the daemon's answer from that of some other program or version. */
function isStatus(value: unknown): value is Status {
  const parts = ['model', 'proxy', 'memory', 'throughput']
  return (
    typeof field(value, 'daemon', 'pid') === 'number' &&
    typeof field(value, 'engine', 'state') === 'string' &&
    parts.every((part) => isRecord(field(value, part)))
  )
}

/** `{ error: { code?, message, hint } }` as the daemon sends it. */
function refusal(body: unknown): Oss20bdError {
  const text = field(body, 'error', 'message')
  const hint = field(body, 'error', 'hint')
  const code = field(body, 'error', 'code')
  return new Oss20bdError(
    errorCodeOf(typeof code === 'string' ? code : ''),
    typeof text === 'string' ? text : 'Cannot do this: the daemon refused without a reason',
    typeof hint === 'string' ? { hint } : {},
  )
}

function explain(error: unknown): Oss20bdError {
  if (error instanceof Oss20bdError) return error
  const errno = errnoOf(error) ?? ''
  if (['ENOENT', 'ECONNREFUSED'].includes(errno)) {
    return new Oss20bdError('daemon-not-running', 'Cannot ask the daemon: it is not running', {
      hint: 'Start it with: oss20bd start',
      cause: error,
    })
  }
  if (brokenOff.has(errno)) {
    return new Oss20bdError('timeout', 'Cannot ask the daemon: it breaks off the connection', {
      hint: 'It may be short of open files, or ending: see oss20bd logs --daemon -n 50',
      cause: error,
    })
  }
  if (errno === 'EACCES' || errno === 'EPERM') {
    return new Oss20bdError('state-folder', 'Cannot ask the daemon: its socket is not yours', {
      hint: 'Run the command as the user who started the daemon',
      cause: error,
    })
  }
  return new Oss20bdError('engine-failed', `Cannot ask the daemon: ${messageOf(error)}`, {
    hint: 'See what it did last: oss20bd logs --daemon -n 50',
    cause: error,
  })
}

function noAnswer(timeoutMs: number): Oss20bdError {
  return new Oss20bdError(
    'timeout',
    `Cannot ask the daemon: no answer within ${timeoutMs / 1000} s`,
    { hint: 'It may hang. See what it did last: oss20bd logs --daemon -n 50' },
  )
}

function unreadable(): Oss20bdError {
  return new Oss20bdError('engine-failed', 'Cannot ask the daemon: its answer is not readable', {
    hint: 'It may be of another version: oss20bd stop, then oss20bd start',
  })
}
