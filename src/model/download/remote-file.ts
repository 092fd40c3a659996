/** What a server says of a file before it is downloaded: where it is, how large, and how it is recognised. */
import type { IncomingHttpHeaders } from 'node:http'
import {
  badRedirect,
  DownloadError,
  noSize,
  parseRetryAfter,
  redirectLoop,
  refusalError,
} from './download-error.ts'
import type { Answer, Network } from './network.ts'

export interface RemoteFile {
  /** As it was asked for. */
  readonly url: URL
  /** Where the redirects lead; the same as `url` without one. */
  readonly location: URL
  readonly sizeBytes: number
  /** Lower-case hexadecimal, as the hub publishes it; null when the server is no hub. */
  readonly sha256: string | null
  /** What `If-Range` takes: a strong ETag or a date; null when the server gives none. */
  readonly validator: string | null
  readonly hasRanges: boolean
  /** Its first bytes. */
  readonly start: Buffer
}

const MAX_HOPS = 10
const START_BYTES = 64

/** Follows the redirects and reads the first bytes. Throws `DownloadError`. */
export async function locate(url: URL, network: Network, signal: AbortSignal): Promise<RemoteFile> {
  const seen = new Set<string>()
  let published: string | null = null
  let here = url
  for (let hops = 0; hops <= MAX_HOPS; hops += 1) {
    const answer = await network.open(here, { range: [0, START_BYTES], signal })
    try {
      published ??= publishedSha256(answer.headers)
      const next = redirectOf(answer)
      if (next === null) return await describe(url, answer, published, network)
      seen.add(here.href)
      if (seen.has(next.href)) throw redirectLoop(here, hops + 1)
      here = next
    } finally {
      answer.close()
    }
  }
  throw redirectLoop(here, MAX_HOPS)
}

interface Known {
  readonly sizeBytes: number
  readonly sha256: string | null
  readonly validator: string | null
}

/** A published checksum decides; servers of one hub may differ in their ETags. Nothing to compare: not the same. */
export function isSameContent(before: Known, now: Known): boolean {
  if (before.sizeBytes !== now.sizeBytes) return false
  if (before.sha256 !== null && now.sha256 !== null) return before.sha256 === now.sha256
  return before.validator !== null && before.validator === now.validator
}

/** The hub names the content of a large file in the answer that redirects to it. */
function publishedSha256(headers: IncomingHttpHeaders): string | null {
  const linked = String(headers['x-linked-etag'] ?? '').replaceAll(/^W\/|"/g, '')
  return /^[0-9a-f]{64}$/.test(linked) ? linked : null
}

function redirectOf({ url, statusCode, headers }: Answer): URL | null {
  if (![301, 302, 303, 307, 308].includes(statusCode) || headers.location === undefined) return null
  // Node reads headers as Latin-1; an address in another script comes as UTF-8.
  const location = Buffer.from(headers.location, 'latin1').toString('utf8')
  if (!URL.canParse(location, url.href)) throw badRedirect(url, JSON.stringify(location))
  const next = new URL(location, url)
  const allowed = url.protocol === 'https:' ? ['https:'] : ['https:', 'http:']
  if (!allowed.includes(next.protocol)) throw badRedirect(url, next.origin)
  return next
}

async function describe(
  url: URL,
  answer: Answer,
  sha256: string | null,
  network: Network,
): Promise<RemoteFile> {
  const { statusCode, headers } = answer
  if (statusCode !== 200 && statusCode !== 206) throw refusalOf(answer, url, network)
  const sizeBytes = announcedBytes(answer)
  if (sizeBytes === null) throw noSize(answer.url)
  const start = await readStart(answer)
  assertNoWebPage(answer, start)
  return {
    url,
    location: answer.url,
    sizeBytes,
    sha256,
    validator: validatorOf(headers),
    hasRanges: statusCode === 206,
    start,
  }
}

/** The size of the whole file. */
export function announcedBytes({ statusCode, headers }: Answer): number | null {
  const text =
    statusCode === 206
      ? /\/(\d+)$/.exec(headers['content-range'] ?? '')?.[1]
      : headers['content-length']
  return text === undefined ? null : Number(text)
}

export function validatorOf({ etag, 'last-modified': date }: IncomingHttpHeaders): string | null {
  return etag !== undefined && !etag.startsWith('W/') ? etag : (date ?? null)
}

export function refusalOf(answer: Answer, asked: URL, network: Network): DownloadError {
  const { url, statusCode, headers } = answer
  return refusalError({
    url,
    statusCode,
    hasToken: network.sendsTokenTo(url),
    redirected: url.href !== asked.href,
    retryAfterMs: parseRetryAfter(headers['retry-after'], Date.now()),
  })
}

async function readStart({ body }: Answer): Promise<Buffer> {
  let start = Buffer.alloc(0)
  for await (const piece of body) {
    start = Buffer.concat([start, piece])
    if (start.length >= START_BYTES) break
  }
  return start.subarray(0, START_BYTES)
}

/** A network that wants a login answers everything with its page; a hub may do so for what is gone. */
function assertNoWebPage({ url }: Answer, start: Buffer): void {
  if (!/^\s*(<!doctype html|<html)/i.test(start.toString('latin1'))) return
  throw new DownloadError(
    `${url.host} answered with a web page instead of the file`,
    'Open that address in a browser: it may want a login, or the model may have moved',
    'never',
  )
}
