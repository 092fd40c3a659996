/** The ways a download fails, each with what to do. Pure. */
import { Oss20bdError } from '../../errors.ts'
import { formatBytes, formatDuration } from '../../units.ts'

/** `again`: the next attempt may go better. `elsewhere`: the address that a redirect gave has expired. */
export type Outlook = 'again' | 'elsewhere' | 'never'

/** `download-failed`, with what a further attempt may bring. It holds no request: a request holds the token. */
export class DownloadError extends Oss20bdError {
  readonly outlook: Outlook
  /** How long the server asks to be left alone; null when it does not say. */
  readonly retryAfterMs: number | null

  constructor(
    what: string,
    hint: string,
    outlook: Outlook,
    more: { readonly retryAfterMs?: number | null; readonly cause?: unknown } = {},
  ) {
    super('download-failed', `Cannot download the model: ${what}`, { hint, cause: more.cause })
    this.outlook = outlook
    this.retryAfterMs = more.retryAfterMs ?? null
  }
}

/** What is on the server is not what it was when the download began. */
export class FileChangedError extends Error {
  override readonly name = 'FileChangedError'
}

export const GOES_ON = 'Run the same command again: it goes on where it stopped'

/** Asked to wait longer than this, a person decides. */
const MAX_RETRY_AFTER_MS = 300_000
/** Statuses that pass by themselves. */
const PASSING: ReadonlySet<number> = new Set([408, 421, 425, 429])

export interface Refusal {
  readonly url: URL
  readonly statusCode: number
  readonly hasToken: boolean
  /** The address came from a redirect: such addresses are signed and expire. */
  readonly redirected: boolean
  readonly retryAfterMs: number | null
}

/** An answer that brings no file, as the error to throw. */
export function refusalError(refusal: Refusal): DownloadError {
  const { url, statusCode, hasToken, redirected, retryAfterMs } = refusal
  const what = `${url.host} answered ${statusCode} for ${url.origin}${url.pathname}`
  if (redirected && [400, 401, 403, 404, 410].includes(statusCode)) {
    return new DownloadError(what, GOES_ON, 'elsewhere')
  }
  if (statusCode === 401 || statusCode === 403) return noAccess(what, hasToken)
  if (statusCode === 404 || statusCode === 410) {
    const hint = 'Check the name of the model and HF_ENDPOINT, or set model.path to a GGUF file'
    return new DownloadError(`${what}, the file must be there`, hint, 'never')
  }
  if (statusCode === 407) {
    const hint = 'Put name and password into HTTPS_PROXY: http://NAME:PASSWORD@HOST:PORT'
    return new DownloadError(`${what}, the proxy wants a password`, hint, 'never')
  }
  if (statusCode === 429 || (statusCode === 503 && retryAfterMs !== null)) {
    return tooMany(what, retryAfterMs)
  }
  if (statusCode >= 500 || PASSING.has(statusCode)) {
    return new DownloadError(what, GOES_ON, 'again')
  }
  const hint = 'Check HF_ENDPOINT and any proxy, then run the same command'
  return new DownloadError(what, hint, 'never')
}

function noAccess(what: string, hasToken: boolean): DownloadError {
  const needed = hasToken
    ? 'the token in HF_TOKEN has no access'
    : 'a token is needed, HF_TOKEN is not set'
  return new DownloadError(
    `${what}, ${needed}`,
    'Open the page of the model in a browser, accept its terms, set HF_TOKEN to a read token, then run the same command',
    'never',
  )
}

function tooMany(what: string, retryAfterMs: number | null): DownloadError {
  if (retryAfterMs === null) return new DownloadError(what, GOES_ON, 'again')
  const asked = `${what}, it asks to wait ${formatDuration(retryAfterMs)}`
  const outlook = retryAfterMs > MAX_RETRY_AFTER_MS ? 'never' : 'again'
  return new DownloadError(asked, `Wait so long, then: ${GOES_ON}`, outlook, { retryAfterMs })
}

/** The value of a Retry-After header: seconds, or a date; null when there is none. */
export function parseRetryAfter(value: string | undefined, nowMs: number): number | null {
  if (value === undefined) return null
  if (/^\d+$/.test(value)) return Number(value) * 1000
  const atMs = Date.parse(value)
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - nowMs)
}

export function redirectLoop(url: URL, hops: number): DownloadError {
  return new DownloadError(
    `${url.host} redirects in a circle (${hops} redirects)`,
    'Check HF_ENDPOINT and any proxy; a network that wants a login first does this: open a web page in a browser',
    'never',
  )
}

export function badRedirect(from: URL, to: string): DownloadError {
  return new DownloadError(
    `${from.host} redirects to ${to}, an https address is needed`,
    'Check HF_ENDPOINT and any proxy, then run the same command',
    'never',
  )
}

export function noSize(url: URL): DownloadError {
  return new DownloadError(
    `${url.host} does not tell how large the file is, so a cut download could not be noticed`,
    'Get the file from another server',
    'never',
  )
}

export function wrongSize(url: URL, bytes: number, expected: readonly number[]): DownloadError {
  return new DownloadError(
    `the file at ${url.host} has ${bytes} bytes, ${expected.join(' or ')} are expected`,
    'Check HF_ENDPOINT and any proxy. When the model has been published anew, name its file to take it as it is now: oss20bd pull OWNER/REPO:FILE',
    'never',
  )
}

export function wrongContent(url: URL, expected: string, found: string): DownloadError {
  return new DownloadError(
    `what came from ${url.host} has the SHA-256 checksum ${found}, it must be ${expected}; it has been removed`,
    'Run the same command again; if it happens again, check the memory of this machine, HF_ENDPOINT and any proxy',
    'never',
  )
}

export function keepsChanging(url: URL): DownloadError {
  return new DownloadError(
    `the file at ${url.host} changes while it is downloaded`,
    'Somebody is publishing it just now: run the same command later',
    'never',
  )
}

export function cutShort(bytes: number, neededBytes: number): DownloadError {
  return new DownloadError(
    `the connection ended after ${formatBytes(bytes)} of ${formatBytes(neededBytes)}`,
    GOES_ON,
    'again',
  )
}

export function stalled(host: string, stallMs: number): DownloadError {
  return new DownloadError(
    `${host} sent next to nothing for ${formatDuration(stallMs)}`,
    `Check the network, then: ${GOES_ON}`,
    'again',
  )
}

export function wrongAnswers(url: URL): DownloadError {
  return new DownloadError(
    `${url.host} sends other parts of the file than are asked for`,
    'Check any proxy, then run the same command again',
    'again',
  )
}
