/** `oss20bd chat`: a conversation in the terminal. It is kept nowhere. */
import { createInterface } from 'node:readline'
import { messageOf, Oss20bdError } from '../../errors.ts'
import type { Context } from '../command.ts'
import { defineCommand, say } from '../command.ts'
import type { Message } from '../chat/answer-stream.ts'
import { cancellable } from '../chat/cancellable.ts'
import { type Ask, CONVERSATION_OPTIONS, startConversation } from '../chat/conversation.ts'
import { paintFor } from '../paint.ts'

export const command = defineCommand({
  options: CONVERSATION_OPTIONS,
  async run(args, context) {
    if (!process.stdin.isTTY || context.json) {
      throw new Oss20bdError('usage', 'Cannot chat: it needs a terminal', {
        hint: 'For one question from a script: oss20bd ask "..."',
      })
    }
    const { effort, system, reasoning, 'max-tokens': maxTokens } = args
    const settings = { effort, system, reasoning, maxTokens, schema: null }
    const { ask, status } = await startConversation(context, settings)
    say(
      context,
      `${status.model.name}: /new forgets what was said, Ctrl-C ends an answer, Ctrl-D ends the chat`,
    )
    await converse(context, ask)
    return 0
  },
})

async function converse(context: Context, ask: Ask): Promise<void> {
  const { strong } = await paintFor(context.stdout, context.env)
  const history: string[] = []
  let messages: readonly Message[] = []
  for (;;) {
    const line = await readQuestion(strong('> '), history)
    if (line === null || line === '/exit') return
    if (line === '/new') {
      messages = []
      say(context, 'Forgotten: the next question is the first')
    } else if (line !== '') messages = await answer(context, ask, messages, line)
  }
}

/** What was said so far, with this question and its answer when it came to one. */
async function answer(
  context: Context,
  ask: Ask,
  messages: readonly Message[],
  question: string,
): Promise<readonly Message[]> {
  const asked: readonly Message[] = [...messages, { role: 'user', content: question }]
  try {
    const result = await cancellable((signal) => ask(asked, signal))
    if (result.kind === 'cancelled') {
      say(context, 'Ended: neither the question nor the answer is kept')
      return messages
    }
    return [...asked, { role: 'assistant', content: result.value.content }]
  } catch (error) {
    if (!(error instanceof Oss20bdError)) throw error
    say(context, `${messageOf(error)}${error.hint === undefined ? '' : `\n  ${error.hint}`}`)
    return messages
  }
}

/** One question, of one line, of several that were pasted at once, or that end in `\`. Null at Ctrl-D; Ctrl-C empties it. */
function readQuestion(prompt: string, history: string[]): Promise<string | null> {
  // One for each question: while an answer comes the terminal is as it was, so that Ctrl-C is a signal.
  const terminal = createInterface({
    input: process.stdin,
    output: process.stdout,
    prompt,
    history,
    removeHistoryDuplicates: true,
  })
  terminal.on('history', (lines: string[]) => history.splice(0, history.length, ...lines))
  return new Promise((resolve) => {
    const lines: string[] = []
    let isLooking = false
    const end = (question: string | null): void => {
      resolve(question)
      terminal.close()
    }
    const look = (): void => {
      isLooking = false
      if (lines.at(-1)?.endsWith('\\') !== true) return end(joined(lines))
      terminal.setPrompt('… ')
      terminal.prompt()
    }
    terminal.on('line', (line) => {
      lines.push(line)
      // The other lines of a paste come in this same turn.
      if (!isLooking) setImmediate(look)
      isLooking = true
    })
    terminal.on('SIGINT', () => {
      process.stdout.write('\n')
      end('')
    })
    terminal.once('close', () => resolve(null))
    terminal.prompt()
  })
}

function joined(lines: readonly string[]): string {
  return lines
    .map((line) => (line.endsWith('\\') ? line.slice(0, -1) : line))
    .join('\n')
    .trim()
}
