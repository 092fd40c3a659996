/** Asks the engine a small question of our own, as JSON. */
import type { EngineConnections } from './engine-connections.ts'
import { callEngine, type CallOutcome } from './engine-call.ts'
import { wholeBody } from './asked.ts'

/** Above this it is no answer to a question of ours. */
const maxAnswerBytes = 4 * 1024 * 1024

export type Told =
  | { readonly kind: 'answered'; readonly json: unknown }
  | Exclude<CallOutcome, { kind: 'complete' }>

/** `json` is null for an answer that is an error, or no JSON. */
export async function askEngine(
  path: string,
  body: Buffer,
  socketPath: string,
  connections: EngineConnections,
  signal: AbortSignal,
): Promise<Told> {
  const pieces: Buffer[] = []
  let lengthBytes = 0
  let status = 0
  const headers = ['Host', 'localhost', 'Content-Type', 'application/json']
  const request = { method: 'POST', path, headers, body: wholeBody(body) }
  const call = callEngine(request, socketPath, connections, {
    head: (head) => {
      status = head.status
    },
    body: (bytes) => {
      lengthBytes += bytes.length
      if (lengthBytes > maxAnswerBytes) call.stop()
      else pieces.push(bytes)
      return true
    },
  })
  const stop = (): void => call.stop()
  signal.addEventListener('abort', stop, { once: true })
  const outcome = await call.outcome
  signal.removeEventListener('abort', stop)
  if (outcome.kind !== 'complete') return outcome
  return { kind: 'answered', json: status === 200 ? parse(Buffer.concat(pieces).toString()) : null }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
