/** Why we ended a run ourselves, in words for a person. Pure. */
import type { ExitReason } from '../engine.ts'
import { formatDuration } from '../units.ts'
import type { EndReason, UnloadReason } from './engine-state.ts'

export const neverStarted: ExitReason = {
  cause: 'asked',
  permanent: false,
  message: 'It was asked to stop before it was started',
  hint: null,
}

export function startTimedOut(afterMs: number): ExitReason {
  return {
    cause: 'start-timeout',
    permanent: false,
    message: `It gave no sign of progress for ${formatDuration(afterMs)} while starting`,
    hint: 'oss20bd logs --engine shows its last lines; engine.startTimeout in the config gives it longer',
  }
}

export function noAnswer(why: string): ExitReason {
  return {
    cause: 'unknown',
    permanent: false,
    message: `It loaded but did not answer a request for one token: ${why}`,
    hint: 'oss20bd logs --engine shows its last lines',
  }
}

export function couldNotPrepare(why: string): ExitReason {
  return {
    cause: 'unknown',
    permanent: false,
    message: `Cannot prepare the start of the engine: ${why}`,
    hint: 'oss20bd logs --daemon shows what came before',
  }
}

export function hung(why: string): ExitReason {
  return {
    cause: 'hang',
    permanent: false,
    message: `It stood still and was ended: ${why}`,
    hint: 'Nothing, when it is rare; oss20bd events --evidence shows what it did last',
  }
}

export function answeredBadly(why: string): ExitReason {
  return {
    cause: 'gpu-error',
    permanent: false,
    message: `It could not compute any more and was ended: ${why}`,
    hint: 'Nothing, when it is rare; when it comes back, set a smaller model.contextTokens in the config',
  }
}

/** Nothing went wrong: somebody wanted its end. */
export function endedFor(why: EndReason | UnloadReason): ExitReason {
  return { cause: 'asked', permanent: false, message: endWords[why], hint: null }
}

const endWords: Readonly<Record<EndReason | UnloadReason, string>> = {
  asked: 'It was asked to stop',
  recycle: 'It was ended for a fresh one that takes less memory',
  context: 'It was ended for one with another context',
  idle: 'It was ended because nobody had asked anything for long',
  memory: 'It was ended because the machine ran short of memory',
}
