/** Every error of our own that a request for the engine can end in, in words. Pure. */
import type { BodyFailure } from './admission/body-failure.ts'
import type { HoldEnd } from './hold.ts'
import type { OwnError } from './own-answer.ts'

/** It waited, and the engine did not come. */
export function notForwarded(end: Exclude<HoldEnd, { kind: 'ready' }>): OwnError {
  switch (end.kind) {
    case 'unavailable':
      return unavailable(end.message, end.hint)
    case 'timeout':
      return {
        status: 503,
        code: 'engine_not_ready',
        message: `Cannot answer yet: ${end.message}`,
        hint: 'oss20bd status shows what it is doing',
        retryAfterS: 5,
      }
    case 'aborted':
      return stopping
  }
}

export function unavailable(message: string, hint: string): OwnError {
  const retryAfterS = 30
  return {
    status: 503,
    code: 'engine_unavailable',
    message: `Cannot answer: ${message}`,
    hint,
    retryAfterS,
  }
}

export const stopping: OwnError = {
  status: 503,
  code: 'stopping',
  message: 'Cannot answer: oss20bd is stopping',
  retryAfterS: 5,
}

export const cancelled: OwnError = {
  status: 503,
  code: 'cancelled',
  isFinal: true,
  message: 'Cannot go on with the answer: it was cancelled by oss20bd cancel',
}

export function queueFull(entry: {
  readonly message: string
  readonly hint: string
  readonly retryAfterS: number
}): OwnError {
  const { message, hint, retryAfterS } = entry
  return { status: 429, code: 'queue_full', message, hint, retryAfterS }
}

export function notSendable(reason: string): OwnError {
  return { status: 400, code: 'bad_request', message: `Cannot pass the request on: ${reason}` }
}

/** null: the client has left, nobody is to be told. */
export function bodyRefused(
  failure:
    | BodyFailure
    | { readonly kind: 'over-budget'; readonly message: string; readonly hint: string },
): OwnError | null {
  switch (failure.kind) {
    case 'aborted':
      return null
    case 'refused-size':
      return { status: 413, code: 'body_too_large', message: failure.message, hint: failure.hint }
    case 'too-slow':
      return { status: 408, code: 'body_too_slow', message: failure.message, hint: failure.hint }
    case 'over-budget':
      return {
        status: 429,
        code: 'too_much_held',
        message: failure.message,
        hint: failure.hint,
        retryAfterS: 5,
      }
  }
}

/** The engine died with it, and it is not sent again. */
export function engineDied(
  why: 'died' | 'poison' | 'too-large',
  reason: string,
  fingerprint: string,
): OwnError {
  const died = `Cannot answer: the connection to the engine ended (${reason})`
  switch (why) {
    case 'died':
      return {
        status: 502,
        code: 'engine_died',
        message: `${died}, again and again`,
        retryAfterS: 1,
      }
    case 'too-large':
      return {
        status: 502,
        code: 'engine_died',
        message: `${died}; the request was too large to be kept, so it was not sent again`,
        hint: 'send it again',
        retryAfterS: 1,
      }
    case 'poison':
      return {
        status: 502,
        code: 'engine_died_twice',
        isFinal: true,
        message: `${died}. It was the second engine that died with this request (fingerprint ${fingerprint}), so it is not sent again: it may be what they died of`,
        hint: 'oss20bd why tells what the engine died of',
      }
  }
}

/** The answer had begun. */
export function broken(reason: string): OwnError {
  return {
    status: 502,
    code: 'engine_died',
    message: `Cannot finish the answer: the connection to the engine ended (${reason})`,
  }
}
