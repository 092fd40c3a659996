/** Asks the model a first question through the public port, as any app would. */
import { messageOf, Oss20bdError } from '../errors.ts'
import { field, parseJson } from './json.ts'

export const FIRST_QUESTION = 'In one sentence: what can you do for me?'

/** A cold model on a busy machine may think for minutes about its first answer. */
const TIMEOUT_MS = 300_000

/** The words of the answer. Throws `engine-failed` when there are none. */
export async function askFirstQuestion(url: string, model: string): Promise<string> {
  const response = await post(`${url}/v1/chat/completions`, {
    model,
    messages: [{ role: 'user', content: FIRST_QUESTION }],
    reasoning_effort: 'low',
    max_tokens: 512,
  })
  const answer = readAnswer(response.text)
  if (response.ok && answer !== null) return answer
  throw failed(`status ${response.status}, ${response.text.slice(0, 300)}`)
}

async function post(
  url: string,
  body: unknown,
): Promise<{ readonly ok: boolean; readonly status: number; readonly text: string }> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    return { ok: response.ok, status: response.status, text: await response.text() }
  } catch (error) {
    // fetch itself says only "fetch failed"; its cause says why.
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
    throw failed(messageOf(cause), error)
  }
}

/** `choices[0].message.content` of a chat completion, or null when the text is no such thing. */
export function readAnswer(text: string): string | null {
  const content = field(parseJson(text), 'choices', '0', 'message', 'content')
  return typeof content === 'string' && content.trim() !== '' ? content.trim() : null
}

function failed(why: string, cause?: unknown): Oss20bdError {
  return new Oss20bdError('engine-failed', `Cannot ask a first question: ${why}`, {
    hint: 'See what happened: oss20bd logs -n 50',
    cause,
  })
}
