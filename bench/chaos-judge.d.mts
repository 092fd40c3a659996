import type { Told } from './chaos-reading.d.mts'

export interface Kind {
  readonly api: string
  readonly isStream: boolean
  readonly goesOn: 'always' | 'sometimes' | 'never' | null
  readonly counts: 'reasoning' | 'content' | null
}

export interface Outcome {
  readonly status: number | null
  readonly ended: string
  readonly body: Buffer
}

export interface Judgement {
  readonly verdict: 'whole' | 'broken' | 'off'
  readonly why: string | null
  readonly continuations: number
}

export const SAMPLE_TOKENS: number

export function judge(
  kind: Kind,
  tokens: number,
  sample: Told,
  outcome: Outcome,
  cuts: number,
): Judgement
export function digits(length: number): string
