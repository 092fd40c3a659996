/** One line on how an answer went. Pure. */
import { formatDuration } from '../../units.ts'
import type { AnswerEnd } from './answer-stream.ts'

/** `128 tokens, 54.2 tokens/s, first word after 0.4 s`, and why it ended when that was not by itself. */
export function totalsLine(end: AnswerEnd, firstWordMs: number | null): string {
  const parts = [
    end.generatedTokens === null ? null : `${end.generatedTokens} tokens`,
    end.generatedPerSecond === null ? null : `${end.generatedPerSecond.toFixed(1)} tokens/s`,
    firstWordMs === null ? null : `first word after ${formatDuration(firstWordMs)}`,
    end.finishReason === 'length'
      ? 'cut: the limit of tokens is reached (--max-tokens, or the context)'
      : null,
  ]
  return parts.filter((part) => part !== null).join(', ')
}
