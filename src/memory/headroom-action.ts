/** A step of the ladder in words and numbers. Pure. */
import type { HeadroomAction, HeadroomInput, HeadroomLevel, HeadroomStep } from './headroom.ts'

/** What a step would do, before it is put into words. */
export interface Move {
  readonly kind: HeadroomAction['kind']
  readonly step: HeadroomStep
  readonly halvings: number
  readonly why: string
}

const HEADINGS: Readonly<Record<HeadroomAction['kind'], string>> = {
  'limit-requests': 'One request at a time from now on',
  'lift-limit': 'Requests run side by side again',
  recycle: 'The engine is restarted to give back what it has piled up',
  'smaller-context': 'The context is halved',
  'larger-context': 'The context is doubled again',
  unload: 'The engine is unloaded',
  load: 'The engine is loaded again',
}

export function actionOf(
  { kind, why }: Move,
  level: HeadroomLevel,
  { reading, engine }: HeadroomInput,
): HeadroomAction {
  const { availableBytes, footprintBytes, swapUsedBytes, swapOutBytesPerSecond } = reading
  const { plannedBytes, contextHalvings } = engine
  const numbers = { availableBytes, footprintBytes, swapUsedBytes, swapOutBytesPerSecond }
  const facts = { level, plannedBytes, ...numbers }
  const message = `${HEADINGS[kind]}: ${why}`
  switch (kind) {
    case 'smaller-context':
      return { kind, message, facts, contextHalvings: contextHalvings + 1 }
    case 'larger-context':
      return { kind, message, facts, contextHalvings: contextHalvings - 1 }
    case 'limit-requests':
    case 'lift-limit':
    case 'recycle':
    case 'unload':
    case 'load':
      return { kind, message, facts }
  }
}
