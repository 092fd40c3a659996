/** What an engine has to show before it may replace another one: a real answer, in its own words, fast enough. */
import got, { TimeoutError } from 'got'
import { messageOf } from '../errors.ts'
import { overSocket } from '../unix-socket.ts'

export interface Proof {
  /** All that it wrote, the reasoning too. Never logged. */
  readonly text: string
  /** As the engine measured it; null when it does not tell, or wrote too little to tell. */
  readonly tokensPerSecond: number | null
}

export type ProofResult =
  | { readonly kind: 'answered'; readonly proof: Proof }
  /** `why` begins with "it". */
  | { readonly kind: 'failed'; readonly why: string }

const PATH = '/v1/chat/completions'
const question = {
  messages: [{ role: 'user', content: 'Count from one to thirty, in words.' }],
  max_tokens: 64,
  temperature: 0,
  cache_prompt: false,
}

/** Of fewer tokens the time is that of anything but the engine. */
const measurableTokens = 48
/** The machine may be busy with something else for a moment; without its GPU an engine has a tenth. */
const leastShareOfSpeed = 0.5

/** Asks once. Rejects only when aborted. */
export async function askForProof(
  socketPath: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ProofResult> {
  try {
    const { statusCode, body } = await got.post(`http://localhost${PATH}`, {
      ...overSocket(socketPath),
      json: question,
      timeout: { request: timeoutMs },
      retry: { limit: 0 },
      throwHttpErrors: false,
      signal,
      headers: { 'user-agent': 'oss20bd' },
    })
    return readProof(statusCode, body)
  } catch (error) {
    signal.throwIfAborted()
    const isLate = error instanceof TimeoutError
    const why = isLate ? `it gave no answer within ${timeoutMs / 1000} s` : messageOf(error)
    return { kind: 'failed', why: isLate ? why : `it cannot be asked (${why})` }
  }
}

/** Pure. */
export function readProof(status: number, body: string): ProofResult {
  if (status !== 200) return failed(`it answered with status ${status}`)
  const answer = parsed(body)
  const message = at(at(at(answer, 'choices'), '0'), 'message')
  const text = [at(message, 'reasoning_content'), at(message, 'content')]
    .filter((part) => typeof part === 'string')
    .join('')
  if (text.trim() === '') return failed('its answer has no words')
  if (isRepetition(text)) return failed('its answer is one sign again and again')
  const timings = at(answer, 'timings')
  const tokens = at(timings, 'predicted_n')
  const speed = at(timings, 'predicted_per_second')
  const isMeasured = typeof tokens === 'number' && tokens >= measurableTokens
  const tokensPerSecond = isMeasured && typeof speed === 'number' && speed > 0 ? speed : null
  return { kind: 'answered', proof: { text, tokensPerSecond } }
}

/** Why it is too slow to replace the earlier one; null when it is not, or when one of them is unknown. Pure. */
export function tooSlow(proof: Proof, earlierTokensPerSecond: number | null): string | null {
  const { tokensPerSecond: now } = proof
  if (now === null || earlierTokensPerSecond === null) return null
  if (now >= earlierTokensPerSecond * leastShareOfSpeed) return null
  return `it writes ${now.toFixed(1)} tokens/s, the earlier one wrote ${earlierTokensPerSecond.toFixed(1)}`
}

/** How broken GPU code answers: `@@@@@@@@`, `GGGGGGGG`. */
function isRepetition(text: string): boolean {
  const signs = text.replaceAll(/\s/g, '')
  return signs.length >= 12 && new Set(signs).size === 1
}

function failed(why: string): ProofResult {
  return { kind: 'failed', why }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function at(value: unknown, name: string): unknown {
  return value instanceof Object ? Object.entries(value).find(([key]) => key === name)?.[1] : null
}
