import { expect, test } from 'vitest'
import { readPromptProgress } from '../../../src/llama/prompt-progress.ts'

test.each([
  [
    'slot print_timing: id  0 | task 52 | prompt processing, n_tokens =   2048, progress = 0.53, t =   4.00 s / 512.00 tokens per second',
    { taskId: 52, share: 0.53 },
  ],
  ['| task 1 | prompt processing, n_tokens = 9, progress = 1.20', { taskId: 1, share: 1 }],
  ['| task 1 | prompt processing, n_tokens = 9, progress = 1.2.0', null],
  ['slot release: id  0 | task 52 | stop processing: n_tokens = 2', null],
  ['', null],
])('%j tells how far a prompt is read', (line, progress) => {
  expect(readPromptProgress(line)).toEqual(progress)
})
