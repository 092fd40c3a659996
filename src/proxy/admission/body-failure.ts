/** Why the body of a request did not come whole, in words for its client. Pure. */
import { formatBytes, formatDuration } from '../../units.ts'

export type BodyFailure =
  /** For a 413. */
  | { readonly kind: 'refused-size'; readonly message: string; readonly hint: string }
  /** For a 408. */
  | { readonly kind: 'too-slow'; readonly message: string; readonly hint: string }
  /** The client left: there is nobody to tell. */
  | { readonly kind: 'aborted' }

export function refusedSize(maxBytes: number, declaredBytes: number | null): BodyFailure {
  const body = declaredBytes === null ? 'its body' : `its body of ${formatBytes(declaredBytes)}`
  return {
    kind: 'refused-size',
    message: `Cannot take the request: ${body} is over the limit of ${formatBytes(maxBytes)}`,
    hint: 'send less, or raise the limit in the config',
  }
}

/** `cameBytes`: what came in that time, of all that was received. */
export function tooSlow(quietMs: number, cameBytes: number, receivedBytes: number): BodyFailure {
  const came = cameBytes === 0 ? 'nothing' : `only ${formatBytes(cameBytes)}`
  return {
    kind: 'too-slow',
    message: `Cannot read the request: ${came} of its body came for ${formatDuration(quietMs)}, after ${formatBytes(receivedBytes - cameBytes)}`,
    hint: 'send it again, without a pause',
  }
}
