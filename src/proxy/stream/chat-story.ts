/** How `/v1/chat/completions` tells an answer. Pure. */
import { chunkDialect } from './chunk-dialect.ts'
import type { Dialect, Reading } from './dialect.ts'
import { type JsonObject, listOf, objectOf, textOf } from './json.ts'
import { chatObstacle, chatObstacleAt, commonObstacle } from './request-rules.ts'
import type { Said } from './said.ts'

export function chatDialect(): Dialect {
  return {
    ...chunkDialect({ readChoice, setChoiceText }),
    obstacle: (request) =>
      commonObstacle(request) ?? chatObstacle(request) ?? lastMessageObstacle(request),
    obstacleAt: chatObstacleAt,
    obstacleCounted: () => null,
    resumed,
    question: (request) => ({
      path: '/v1/chat/completions/input_tokens',
      body: Buffer.from(JSON.stringify(request)),
    }),
    budgetFields: ['n_predict', 'max_completion_tokens', 'max_tokens'],
    stopField: 'stop',
  }
}

function readChoice(choice: JsonObject): Reading {
  if (typeof choice['finish_reason'] === 'string') return { kind: 'closing' }
  const delta = objectOf(choice['delta'])
  if (delta === null) return { kind: 'other' }
  if (delta['tool_calls'] !== undefined) return { kind: 'tool' }
  const reasoning = textOf(delta['reasoning_content'])
  const content = textOf(delta['content'])
  if (reasoning === '' && content === '') return { kind: 'opening' }
  return { kind: 'delta', reasoning, content }
}

function setChoiceText(choice: JsonObject, reasoning: string, content: string): void {
  choice['delta'] = {
    ...(reasoning === '' ? {} : { reasoning_content: reasoning }),
    ...(content === '' ? {} : { content }),
  }
}

/** The engine refuses two messages of the assistant at the end, and repeats the first of its own accord. */
function lastMessageObstacle(request: JsonObject): string | null {
  const role = objectOf(listOf(request['messages']).at(-1))?.['role']
  return role === 'assistant' ? 'its last message is the beginning of the answer' : null
}

function resumed(request: JsonObject, said: Said): JsonObject {
  const { reasoning, content, phase } = said
  return {
    ...request,
    messages: [
      ...listOf(request['messages']),
      { role: 'assistant', reasoning_content: reasoning, content },
    ],
    continue_final_message: phase === 'content' ? 'content' : 'reasoning_content',
    add_generation_prompt: false,
  }
}
