import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { describeSlots, readSlots } from '../../../src/llama/slots.ts'

describe('the slots of llama-server', () => {
  it('are told in numbers, without what was asked', () => {
    const busy = {
      id: 0,
      n_ctx: 4096,
      speculative: false,
      is_processing: true,
      id_task: 52,
      n_prompt_tokens: 2150,
      n_prompt_tokens_processed: 1,
      n_prompt_tokens_cache: 0,
      params: { grammar: 'root ::= "secret"', stop: ['secret'] },
      next_token: [{ has_next_token: true, n_remain: 850, n_decoded: 2149 }],
      prompt: 'secret',
      generated: 'secret',
    }
    const fresh = { id: 1, n_ctx: 4096, speculative: false, is_processing: false }
    expect(describeSlots(JSON.stringify([busy, fresh]))).toEqual([
      'slot 0: busy, task 52, prompt tokens 2150, processed 1, from cache 0, context 4096, generated 2149',
      'slot 1: idle, context 4096',
    ])
  })

  it.each([
    ['', []],
    ['[', []],
    ['{}', []],
    ['null', []],
    ['[1, null, "x", []]', []],
    ['[{"id":"secret"}]', []],
    [
      '[{"id":3,"is_processing":"secret","n_ctx":"secret","next_token":7}]',
      ['slot 3: state unknown'],
    ],
    ['{"error":{"code":501,"message":"secret"}}', []],
  ])('are few lines or none of %s', (text, lines) => {
    expect(describeSlots(text)).toEqual(lines)
  })

  it('are read without a throw from anything, in a bounded number of lines', () => {
    const slot = fc.record({ id: fc.integer(), next_token: fc.anything(), n_ctx: fc.anything() })
    const text = fc.oneof(
      fc.string(),
      fc.json(),
      fc
        .array(slot, { maxLength: 100 })
        .map((slots) =>
          JSON.stringify(slots, (_key, value: unknown) =>
            typeof value === 'bigint' ? value.toString() : value,
          ),
        ),
    )
    fc.assert(
      fc.property(text, (json) => {
        expect(describeSlots(json).length).toBeLessThanOrEqual(64)
      }),
    )
  })
})

describe('for those who watch', () => {
  it('says what each slot does, in numbers alone', () => {
    const busy = {
      id: 0,
      n_ctx: 4096,
      is_processing: true,
      id_task: 52,
      n_prompt_tokens: 2150,
      n_prompt_tokens_processed: 1,
      n_prompt_tokens_cache: 2000,
      next_token: [{ n_decoded: 149 }],
      prompt: 'secret',
    }
    expect(readSlots(JSON.stringify([busy, { id: 1 }, { no: 'slot' }]))).toEqual([
      {
        id: 0,
        isBusy: true,
        taskId: 52,
        contextTokens: 4096,
        heldTokens: 2150,
        readTokens: 2001,
        generatedTokens: 149,
      },
      {
        id: 1,
        isBusy: false,
        taskId: null,
        contextTokens: null,
        heldTokens: null,
        readTokens: null,
        generatedTokens: null,
      },
    ])
  })

  it.each(['', '[', '{}', 'null'])('%j is no answer', (text) => {
    expect(readSlots(text)).toEqual([])
  })
})
