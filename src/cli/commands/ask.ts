/** `oss20bd ask`: one question, from words, files and the pipe; the answer while it comes. */
import { Oss20bdError } from '../../errors.ts'
import type { Context } from '../command.ts'
import { defineCommand, print, say } from '../command.ts'
import {
  type Answer,
  CONVERSATION_OPTIONS,
  readSchema,
  startConversation,
} from '../chat/conversation.ts'
import { cancellable } from '../chat/cancellable.ts'
import { type QuestionPart, questionOf, readPart, readPipe } from '../chat/question.ts'

export const command = defineCommand({
  options: {
    QUESTION: { type: 'string', array: true, hidden: true, describe: 'What to ask' },
    file: {
      alias: 'f',
      type: 'string',
      array: true,
      nargs: 1,
      describe: 'A text file that the question is about; repeatable',
    },
    ...CONVERSATION_OPTIONS,
    'json-schema': {
      type: 'string',
      requiresArg: true,
      describe: 'The answer follows this JSON schema: JSON, or the name of a file with it',
    },
  },
  async run(args, context) {
    const schema = args['json-schema'] === undefined ? null : await readSchema(args['json-schema'])
    const parts = await partsOf(args.file ?? [], context)
    const question = questionOf(args.QUESTION ?? [], parts)
    const { effort, system, reasoning, 'max-tokens': maxTokens } = args
    const settings = { effort, system, reasoning, maxTokens, schema }
    const { ask, status } = await startConversation(context, settings)
    const result = await cancellable((signal) => ask([{ role: 'user', content: question }], signal))
    if (result.kind === 'cancelled') return dieOfInterrupt()
    if (context.json) printJson(context, status.model.name, result.value)
    return 0
  },
})

/** Longer than any program takes to begin to write. */
const patienceMs = 3000

async function partsOf(
  files: readonly string[],
  context: Context,
): Promise<readonly QuestionPart[]> {
  const parts = await Promise.all(files.map((file) => readPart(file)))
  // A terminal is where the person types: nothing waits there to be read.
  if (process.stdin.isTTY) return parts
  const timer = setTimeout(() => {
    say(context, 'Waiting: for the end of the input; where there is none, add < /dev/null')
  }, patienceMs)
  try {
    return [...parts, await readPipe(process.stdin)]
  } finally {
    clearTimeout(timer)
  }
}

function printJson(context: Context, model: string, answer: Answer): void {
  const { content, reasoning, end, firstWordMs } = answer
  const rounded = firstWordMs === null ? null : Math.round(firstWordMs)
  const shown = { model, content, reasoning, ...end, firstWordMs: rounded }
  print(context, JSON.stringify(shown, undefined, 2))
}

/** As a program does that knows nothing of Ctrl-C: a loop in a shell then ends with it. */
function dieOfInterrupt(): never {
  process.kill(process.pid, 'SIGINT')
  throw new Oss20bdError('engine-failed', 'Cancelled', { hint: 'The engine goes on for others' })
}
