/** What several commands say of a Status. Pure. */
import type { Status } from '../daemon/control-protocol.ts'

/** What a start is waiting for, as one short text; for progress lines. */
export function waitingText(status: Status): string {
  const { state, detail } = status.engine
  return state === 'starting' ? detail : `${state}: ${detail}`
}

/** What is loaded, saying plainly when it is not gpt-oss-20b. */
export function modelText(model: Status['model']): string {
  const { contextTokens, slots } = model
  const context =
    contextTokens === null ? 'context as the engine chooses' : `${contextTokens} tokens of context`
  const capacity = slots === null ? context : `${context}, ${plural(slots, 'slot')}`
  return model.testModel
    ? `built-in test model: fixed words, NOT gpt-oss-20b (${capacity})`
    : `${model.name} (${capacity})`
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
