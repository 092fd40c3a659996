/** The headroom of the machine in words: why it is short, and what comes next. Pure. */
import {
  HEADROOM_STEPS,
  rankOf,
  type HeadroomLevel,
  type HeadroomSettings,
  type HeadroomStep,
  type Sign,
} from '../memory/headroom.ts'
import { formatDuration } from '../units.ts'

export interface Standing {
  readonly level: HeadroomLevel
  /** The worst first. */
  readonly signs: readonly Sign[]
  readonly step: HeadroomStep
}

/** null when nothing is short. */
export function reasonOf({ signs }: Pick<Standing, 'signs'>): string | null {
  return signs.length === 0 ? null : signs.map(({ words }) => words).join('; ')
}

/** What is done next, and when; null when nothing is to be done. */
export function nextOf(
  { level, signs, step }: Standing,
  { calmAfterMs }: Pick<HeadroomSettings, 'calmAfterMs'>,
): string | null {
  if (level === 'ok') return backUp[step]?.(formatDuration(calmAfterMs)) ?? null
  if (level === 'critical' && step !== 'unload') return 'unload the model, to spare the machine'
  const furthest = Math.max(...signs.map(({ reach }) => rankOf(reach)))
  const next = HEADROOM_STEPS[rankOf(step) + 1]
  if (next === undefined || rankOf(next) > furthest) return null
  return further[next]
}

const further: Readonly<Record<HeadroomStep, string | null>> = {
  normal: null,
  'one-at-a-time': 'pass one request at a time',
  recycle: 'restart the engine when it is idle, if it has piled up memory',
  'smaller-context': 'restart the engine with half the context when it is idle',
  unload: null,
}

const backUp: Readonly<Partial<Record<HeadroomStep, (calm: string) => string>>> = {
  'one-at-a-time': (calm) => `requests run side by side again after ${calm} of calm`,
  recycle: (calm) => `requests run side by side again after ${calm} of calm`,
  'smaller-context': (calm) => `the context is doubled again after ${calm} of calm`,
  unload: (calm) => `the model is loaded again after ${calm} of calm, when there is room for it`,
}
