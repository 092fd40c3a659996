/** Fetches one range of the file with one request and writes it where it belongs. */
import type { ByteRange } from './byte-ranges.ts'
import { cutShort, FileChangedError, stalled } from './download-error.ts'
import type { Answer, Network } from './network.ts'
import { announcedBytes, refusalOf, type RemoteFile, validatorOf } from './remote-file.ts'
import { WriteBehind } from './write-behind.ts'

export interface FetchOptions {
  readonly remote: RemoteFile
  readonly range: ByteRange
  readonly network: Network
  readonly write: (bytes: Buffer, position: number) => Promise<void>
  readonly signal: AbortSignal
}

/** Less than this within the stall limit is no progress. */
const TRICKLE_BYTES = 16 * 1024

/**
 * Resolves when the whole range is written. What is written stays good when it throws: `DownloadError`,
 * `FileChangedError` when the answer is of another content, or a file error.
 */
export async function fetchRange(options: FetchOptions): Promise<void> {
  const { remote, range, network, signal } = options
  // With a published checksum the ETags are not looked at: the servers of one hub may differ in them.
  const ifRange = remote.sha256 === null ? remote.validator : null
  const asked = remote.hasRanges ? { range, ifRange, signal } : { signal }
  const answer = await network.open(remote.location, asked)
  try {
    assertExpected(answer, options)
    await save(answer, options)
  } finally {
    answer.close()
  }
}

function assertExpected(answer: Answer, { remote, range, network }: FetchOptions): void {
  const { statusCode, headers } = answer
  // A redirect where there was none, or another answer to a range: what is there must be looked at again.
  if (statusCode === 416 || (statusCode >= 300 && statusCode < 400)) throw new FileChangedError()
  if (statusCode !== 200 && statusCode !== 206) throw refusalOf(answer, remote.url, network)
  if (remote.hasRanges !== (statusCode === 206)) throw new FileChangedError()
  if (announcedBytes(answer) !== remote.sizeBytes) throw new FileChangedError()
  const validator = remote.sha256 === null ? validatorOf(headers) : null
  if (validator !== null && validator !== remote.validator) throw new FileChangedError()
  const from = `bytes ${range[0]}-`
  if (statusCode === 206 && headers['content-range']?.startsWith(from) !== true) {
    throw new FileChangedError()
  }
}

async function save(answer: Answer, options: FetchOptions): Promise<void> {
  const [start, end] = options.range
  const behind = new WriteBehind(options.write, start)
  try {
    for await (const piece of watched(answer, options.network)) {
      // More than was asked for would run into the next range.
      await behind.add(piece.subarray(0, end - behind.position))
      if (behind.position >= end) break
    }
  } finally {
    await behind.flush()
  }
  if (behind.position < end) throw cutShort(behind.position, options.remote.sizeBytes)
}

/** The body, given up when it only trickles: got notices a connection that is silent, not one that is useless. */
async function* watched({ url, body }: Answer, network: Network): AsyncGenerator<Buffer> {
  const { clock, stallMs } = network
  let sinceMs = clock.monotonicMs()
  let bytes = 0
  for await (const piece of body) {
    yield piece
    bytes += piece.length
    const nowMs = clock.monotonicMs()
    if (nowMs - sinceMs < stallMs) continue
    if (bytes < TRICKLE_BYTES) throw stalled(url.host, stallMs)
    sinceMs = nowMs
    bytes = 0
  }
}
