/** What `ask` and `chat` share: one question to one answer, shown while it comes. */
import { readFile } from 'node:fs/promises'
import { systemClock } from '../../clock.ts'
import { fileError, Oss20bdError } from '../../errors.ts'
import type { Status } from '../../daemon/control-protocol.ts'
import type { Context } from '../command.ts'
import { say } from '../command.ts'
import { askDaemon, askIfRunning } from '../control-client.ts'
import { isRecord, parseJson } from '../json.ts'
import { paintFor } from '../paint.ts'
import { type AnswerEnd, type Message, streamAnswer } from './answer-stream.ts'
import { totalsLine } from './answer-totals.ts'
import { type AnswerView, createPlainView, createTerminalView } from './answer-view.ts'

/** Options of both commands. */
export const CONVERSATION_OPTIONS = {
  effort: {
    choices: ['low', 'medium', 'high'] as const,
    describe: 'How long the model thinks before it answers',
  },
  system: { type: 'string', requiresArg: true, describe: 'What the model is told to be or to do' },
  reasoning: {
    type: 'boolean',
    describe: 'Show what the model thinks (dimmed); on a terminal it does, --no-reasoning hides it',
  },
  'max-tokens': { type: 'number', requiresArg: true, describe: 'The longest answer, in tokens' },
} as const

export interface ConversationSettings {
  readonly effort: 'low' | 'medium' | 'high' | undefined
  readonly system: string | undefined
  readonly reasoning: boolean | undefined
  readonly maxTokens: number | undefined
  readonly schema: unknown
}

export interface Answer {
  readonly content: string
  readonly reasoning: string
  readonly end: AnswerEnd
  readonly firstWordMs: number | null
}

/** Asks one question; `messages` holds what was said before. Rejects with the abort when `signal` does. */
export type Ask = (messages: readonly Message[], signal: AbortSignal) => Promise<Answer>

/** Looks where the port is. Throws `daemon-not-running`, `usage`. */
export async function startConversation(
  context: Context,
  settings: ConversationSettings,
): Promise<{ readonly ask: Ask; readonly status: Status }> {
  checkMaxTokens(settings.maxTokens)
  const status = await askDaemon(context.paths.controlSocket, 'GET', '/status')
  const ask: Ask = async (messages, signal) => {
    const view = await viewFor(context, settings.reasoning)
    const answer = await shown(context, view, {
      url: status.proxy.url,
      token: tokenOf(context),
      model: status.model.name,
      messages: [...systemMessage(settings.system), ...messages],
      effort: settings.effort ?? null,
      schema: settings.schema ?? null,
      maxTokens: settings.maxTokens ?? null,
      signal,
    })
    if (context.stderr.isTTY === true && !context.json) {
      const { dim } = await paintFor(context.stderr, context.env)
      say(context, dim(totalsLine(answer.end, answer.firstWordMs)))
    }
    return answer
  }
  return { ask, status }
}

/** A JSON schema, given as JSON or as the name of a file that holds it. Throws `usage` when it is neither. */
export async function readSchema(given: string): Promise<unknown> {
  const text = given.trimStart().startsWith('{') ? given : await readSchemaFile(given)
  const schema = parseJson(text)
  if (isRecord(schema) && !Array.isArray(schema)) return schema
  throw new Oss20bdError('usage', 'Cannot use --json-schema: it is no JSON object', {
    hint: 'For example: --json-schema \'{"type":"object","properties":{"city":{"type":"string"}}}\', or the name of a file',
  })
}

async function readSchemaFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw fileError('read the JSON schema', file, error)
  }
}

function checkMaxTokens(maxTokens: number | undefined): void {
  if (maxTokens === undefined || (Number.isSafeInteger(maxTokens) && maxTokens > 0)) return
  throw new Oss20bdError('usage', 'Cannot use --max-tokens: it must be a whole number above 0', {
    hint: 'For example: --max-tokens 500',
  })
}

/** Only from the environment: a command line can be read by everybody on the machine. */
function tokenOf({ env }: Context): string | null {
  const token = env['OSS20BD_TOKEN'] ?? ''
  return token === '' ? null : token
}

function systemMessage(system: string | undefined): readonly Message[] {
  return system === undefined ? [] : [{ role: 'system', content: system }]
}

async function viewFor(context: Context, reasoning: boolean | undefined): Promise<AnswerView> {
  const { stdout } = context
  if (context.json) return { show: () => undefined, end: () => undefined }
  if (stdout.isTTY !== true) return createPlainView(stdout, reasoning ?? false)
  return createTerminalView(stdout, {
    paint: await paintFor(stdout, context.env),
    showsReasoning: reasoning ?? true,
    size: () => ({ columns: process.stdout.columns ?? 80, rows: process.stdout.rows ?? 24 }),
  })
}

async function shown(
  context: Context,
  view: AnswerView,
  request: Parameters<typeof streamAnswer>[0],
): Promise<Answer> {
  const startedAtMs = systemClock.monotonicMs()
  let firstWordMs: number | null = null
  const said = { content: '', reasoning: '' }
  const patience = new AbortController()
  void tellWhyItTakes(context, patience.signal)
  try {
    for await (const piece of streamAnswer(request)) {
      if (piece.kind === 'end') return { ...said, end: piece.end, firstWordMs }
      patience.abort()
      firstWordMs ??= systemClock.monotonicMs() - startedAtMs
      said[piece.kind] += piece.text
      view.show(piece)
    }
  } finally {
    patience.abort()
    view.end()
  }
  throw new Error('the stream ended without its end')
}

/** Longer than an answer of a loaded model takes to begin. */
const patienceMs = 3000

/** One line for a person who wonders: the state of the engine, when there is no word after 3 s. Never rejects. */
async function tellWhyItTakes(context: Context, signal: AbortSignal): Promise<void> {
  if (context.stderr.isTTY !== true) return
  try {
    await systemClock.sleep(patienceMs, signal)
    const status = await askIfRunning(context.paths.controlSocket)
    if (signal.aborted || status === null) return
    const { state, detail } = status.engine
    say(context, state === 'ready' ? 'Waiting: it reads the question' : `Waiting: ${detail}`)
  } catch {
    // The answer came, or the daemon has no time to tell: the question itself will say what is wrong.
  }
}
