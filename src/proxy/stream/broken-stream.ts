/** The event that tells a client its stream is broken, in the shape of its API. Pure. */
import type { Api } from '../api.ts'
import { writeEvent } from './sse-events.ts'

/** Written while the client waits for the engine to come back and go on. A comment: clients skip it. */
export const CONTINUED_COMMENT = ': oss20bd continued after engine restart\n\n'

/** Keeps a connection alive on which nothing else can be said. */
export const WAITING_COMMENT = ': oss20bd waits for the engine\n\n'

export interface BrokenStream {
  readonly message: string
  readonly code: string
}

/**
 * The last event of a stream; neither `[DONE]` nor another end follows. The client must stand between two
 * events. `src` is inside the error, because client libraries hand on that object and drop the rest.
 */
export function brokenStreamEnd(api: Api, { message, code }: BrokenStream): Buffer {
  switch (api) {
    case 'chat':
    case 'completions':
    case 'native': {
      const error = { message, type: 'server_error', code, src: 'oss20bd' }
      return writeEvent(null, JSON.stringify({ error }))
    }
    case 'responses': {
      // OpenAI's own error event has the fields outside; its client libraries throw only for the inner object.
      const error = { message, type: 'server_error', code, src: 'oss20bd' }
      return writeEvent(
        'error',
        JSON.stringify({ type: 'error', code, message, param: null, error }),
      )
    }
    case 'messages': {
      const error = { type: 'api_error', message, code, src: 'oss20bd' }
      return writeEvent('error', JSON.stringify({ type: 'error', error }))
    }
  }
}
