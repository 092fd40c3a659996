/** What llama-server's `/slots` tells, and as lines for the record of a hang. Pure; never throws. */
import type { EngineSlot } from '../engine.ts'

const maxSlots = 64

/** Names of ours to the names in the answer. Numbers only: a slot also holds what a request asked for. */
const slotNumbers = [
  ['task', 'id_task'],
  ['prompt tokens', 'n_prompt_tokens'],
  ['processed', 'n_prompt_tokens_processed'],
  ['from cache', 'n_prompt_tokens_cache'],
  ['context', 'n_ctx'],
] as const

/** One line per slot, safe to log; none when the text is not such an answer. */
export function describeSlots(text: string): readonly string[] {
  const slots = parse(text)
  if (!Array.isArray(slots)) return []
  return slots.slice(0, maxSlots).flatMap((slot: unknown) => {
    const line = describeSlot(slot)
    return line === null ? [] : [line]
  })
}

/** None when the text is not such an answer. */
export function readSlots(text: string): readonly EngineSlot[] {
  const slots = parse(text)
  if (!Array.isArray(slots)) return []
  return slots.slice(0, maxSlots).flatMap((slot: unknown) => {
    const id = numberOf(slot, 'id')
    return id === null ? [] : [slotOf(id, slot)]
  })
}

function slotOf(id: number, slot: unknown): EngineSlot {
  const read = numberOf(slot, 'n_prompt_tokens_processed')
  const known = numberOf(slot, 'n_prompt_tokens_cache')
  return {
    id,
    isBusy: fieldOf(slot, 'is_processing') === true,
    taskId: numberOf(slot, 'id_task'),
    contextTokens: numberOf(slot, 'n_ctx'),
    heldTokens: numberOf(slot, 'n_prompt_tokens'),
    readTokens: read === null ? null : read + (known ?? 0),
    generatedTokens: generatedOf(slot),
  }
}

function generatedOf(slot: unknown): number | null {
  const nextToken = fieldOf(slot, 'next_token')
  return numberOf(Array.isArray(nextToken) ? nextToken[0] : nextToken, 'n_decoded')
}

function describeSlot(slot: unknown): string | null {
  const id = numberOf(slot, 'id')
  if (id === null) return null
  const processing = fieldOf(slot, 'is_processing')
  const generated = generatedOf(slot)
  const numbers = slotNumbers.map(([label, name]) => [label, numberOf(slot, name)] as const)
  const told = [...numbers, ['generated', generated] as const].flatMap(([label, value]) =>
    value === null ? [] : [`${label} ${value}`],
  )
  const state = typeof processing === 'boolean' ? (processing ? 'busy' : 'idle') : 'state unknown'
  return `slot ${id}: ${[state, ...told].join(', ')}`
}

function numberOf(object: unknown, name: string): number | null {
  const value = fieldOf(object, name)
  return typeof value === 'number' && Number.isFinite(value) ? value : null
}

function fieldOf(object: unknown, name: string): unknown {
  if (typeof object !== 'object' || object === null) return undefined
  return Object.entries(object).find(([key]) => key === name)?.[1]
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
