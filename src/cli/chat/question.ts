/** What is asked: the words, the files and what came through the pipe, as one message. Pure, but for reading the files. */
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { fileError, Oss20bdError } from '../../errors.ts'
import { formatBytes } from '../../units.ts'

/** Four letters a token: this is more than the longest context the model knows (131072 tokens) can hold. */
export const MAX_QUESTION_BYTES = 4 * 1024 * 1024

export interface QuestionPart {
  /** The name of a file; null = it came through the pipe. */
  readonly name: string | null
  readonly text: string
}

/** Joins them: the words first, then each part under its name. Throws `usage` when there is nothing. Pure. */
export function questionOf(words: readonly string[], parts: readonly QuestionPart[]): string {
  const asked = words.join(' ').trim()
  const filled = parts.filter(({ text }) => text.trim() !== '')
  if (asked === '' && filled.length === 0) {
    throw new Oss20bdError('usage', 'Cannot ask: there is no question', {
      hint: 'For example: oss20bd ask "What is a monad?", or: cat notes.txt | oss20bd ask "Summarise"',
    })
  }
  const texts = filled.map(({ name, text }) => (name === null ? text : `--- ${name} ---\n${text}`))
  return [asked, ...texts].filter((text) => text !== '').join('\n\n')
}

/** Reads one file as text. Throws when it cannot be read, is too long, or is no text. */
export async function readPart(path: string): Promise<QuestionPart> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw fileError('read the file', path, error)
  })
  return { name: basename(path), text: textOf(bytes, path) }
}

/** All that comes through the pipe, until it ends. Throws as `readPart`. */
export async function readPipe(input: AsyncIterable<Buffer | string>): Promise<QuestionPart> {
  const chunks: Buffer[] = []
  let total = 0
  for await (const chunk of input) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    total += bytes.length
    // Before it fills the memory of the machine whose memory we guard.
    if (total > MAX_QUESTION_BYTES) throw tooLong('the input', total)
    chunks.push(bytes)
  }
  return { name: null, text: textOf(Buffer.concat(chunks), 'the input') }
}

function textOf(bytes: Buffer, what: string): string {
  if (bytes.length > MAX_QUESTION_BYTES) throw tooLong(what, bytes.length)
  if (bytes.includes(0)) {
    throw new Oss20bdError('usage', `Cannot ask about ${what}: it is not text`, {
      hint: 'The model reads text only; convert it first',
    })
  }
  return bytes.toString('utf8')
}

function tooLong(what: string, bytes: number): Oss20bdError {
  return new Oss20bdError(
    'usage',
    `Cannot ask about ${what}: it has ${formatBytes(bytes)} or more, the model reads ${formatBytes(MAX_QUESTION_BYTES)} at most`,
    { hint: 'Give it a part, for example with head -c or grep' },
  )
}
