/** What an error within a stream of the engine means for its request. Pure. */

export type StreamError = 'malformed-harmony' | 'compute-error' | 'other'

export function errorKind(message: string): StreamError {
  if (message.startsWith('Compute error')) return 'compute-error'
  // The model broke its own format, which a second try mostly does not (facts 6.6).
  if (message.startsWith('The model produced output that does not match the expected')) {
    return 'malformed-harmony'
  }
  return 'other'
}
