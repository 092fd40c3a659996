/** Reads the events of a streamed chat completion. */

export interface Piece {
  readonly text: string
  readonly reasoning: string
}

/** Throws an Error with the port's own words when there is no good answer. */
export async function* readAnswer(response: Response): AsyncGenerator<Piece> {
  if (!response.ok || response.body === null) throw new Error(messageIn(await response.text()))
  let rest = ''
  // Safari has no `for await` over a stream.
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    const lines = (rest + value).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const piece = pieceOf(line)
      if (piece !== null) yield piece
    }
  }
}

/** null for a line that says nothing: a comment, an empty one, the end. */
function pieceOf(line: string): Piece | null {
  const [, data] = /^data:\s*(\{.*)$/.exec(line.trim()) ?? []
  if (data === undefined) return null
  const event: unknown = JSON.parse(data)
  if (at(event, 'error') !== undefined) throw new Error(messageIn(data))
  const delta = at(at(at(event, 'choices'), '0'), 'delta')
  return { text: textOf(at(delta, 'content')), reasoning: textOf(at(delta, 'reasoning_content')) }
}

function messageIn(body: string): string {
  try {
    const error = at(JSON.parse(body), 'error')
    return textOf(at(error, 'message')) || body
  } catch {
    return body
  }
}

function at(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  return Object.entries(value).find(([key]) => key === name)?.[1]
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
