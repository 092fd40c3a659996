/** How `/v1/completions` tells an answer. Pure. */
import { chunkDialect } from './chunk-dialect.ts'
import type { Dialect, Reading } from './dialect.ts'
import { type JsonObject, textOf } from './json.ts'
import { commonObstacle } from './request-rules.ts'
import type { Said } from './said.ts'

export function completionsDialect(): Dialect {
  return {
    ...chunkDialect({ readChoice, setChoiceText }),
    obstacle: (request) =>
      commonObstacle(request) ??
      (extended(request['prompt'], '') === null ? 'its prompt is no single text' : null),
    obstacleAt: () => null,
    obstacleCounted: (said, generatedTokens) =>
      hasLostTokens(said, generatedTokens) ? 'some of its tokens may show no text' : null,
    resumed: (request, said) => {
      const prompt = extended(request['prompt'], said.content)
      return prompt === null ? null : { ...request, prompt }
    },
    question: (request) => ({
      path: '/tokenize',
      body: Buffer.from(
        // As the engine reads a prompt.
        JSON.stringify({ content: request['prompt'], add_special: true, parse_special: true }),
      ),
    }),
    budgetFields: ['n_predict', 'max_completion_tokens', 'max_tokens'],
    stopField: 'stop',
  }
}

/**
 * The engine sends an event for each token: without text for one that shows none, or that may begin a stop
 * sequence. Of the first kind the prompt of a continuation would know nothing. In plain ASCII each token
 * ends a character, so that there are as many events as tokens: one more than the text has is a silent one.
 */
function hasLostTokens(said: Said, generatedTokens: number): boolean {
  if (!said.hasSilentToken) return false
  return said.tokenEvents !== generatedTokens || !/^[\0-\x7f]*$/.test(said.content)
}

function readChoice(choice: JsonObject): Reading {
  if (typeof choice['finish_reason'] === 'string') return { kind: 'closing' }
  return { kind: 'delta', reasoning: '', content: textOf(choice['text']) }
}

function setChoiceText(choice: JsonObject, _reasoning: string, content: string): void {
  choice['text'] = content
}

/** A text, one text in a list, or tokens: what comes behind them changes none of their tokens but the last text's. */
function extended(prompt: unknown, text: string): unknown {
  if (typeof prompt === 'string') return prompt + text
  if (!Array.isArray(prompt) || prompt.length === 0) return null
  const [only] = prompt
  if (prompt.length === 1 && typeof only === 'string') return [only + text]
  return prompt.every((token) => typeof token === 'number') ? [...prompt, text] : null
}
