/** One attempt to fetch what a partial download still lacks, by an HTTP range where the server has them. */
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
import type { IncomingHttpHeaders } from 'node:http'
import { pipeline } from 'node:stream/promises'
import got, { RequestError, type Request, type StreamOptions } from 'got'
import { errnoOf, fileError, Oss20bdError } from '../errors.ts'
import { formatBytes, formatDuration } from '../units.ts'

export interface Transfer {
  readonly url: string
  readonly token: string | null
  readonly part: string
  readonly stallMs: number
  readonly signal: AbortSignal
  readonly expectedBytes: readonly number[]
  /** Shared by all attempts. */
  readonly state: { answered: boolean; etag: string | null }
  readonly onBytes: (newBytes: number, bytes: number, totalBytes: number) => void
}

/** Resolves when the part has an expected size. A `download-failed` with a cause is worth another attempt. */
export async function transferRest(transfer: Transfer): Promise<void> {
  const haveBytes = await usablePart(transfer)
  if (haveBytes > 0 && haveBytes === Math.max(...transfer.expectedBytes)) return
  try {
    const request = got.stream(transfer.url, requestOptions(transfer, haveBytes))
    const statusCode = await answer(transfer, request, haveBytes)
    const startBytes = statusCode === 206 ? haveBytes : 0
    await save(transfer, request, startBytes)
  } catch (error) {
    transfer.signal.throwIfAborted()
    throw asDownloadError(transfer, error)
  }
}

async function usablePart(transfer: Transfer): Promise<number> {
  const bytes = await stat(transfer.part).then(
    (found) => found.size,
    () => 0,
  )
  if (bytes <= Math.max(...transfer.expectedBytes)) return bytes
  await rm(transfer.part)
  return 0
}

function requestOptions(transfer: Transfer, haveBytes: number): StreamOptions {
  const { token, state, stallMs, signal } = transfer
  return {
    headers: {
      'user-agent': 'oss20bd',
      // Compressed bytes could be neither counted nor resumed.
      'accept-encoding': 'identity',
      // got drops it when it is redirected to another host, which the file servers of Hugging Face are.
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(haveBytes === 0 ? {} : { range: `bytes=${haveBytes}-` }),
      ...(haveBytes === 0 || state.etag === null ? {} : { 'if-range': state.etag }),
    },
    decompress: false,
    throwHttpErrors: false,
    retry: { limit: 0 },
    timeout: { connect: Math.min(stallMs, 30_000), socket: stallMs },
    signal,
  }
}

/** The status, once it is known that the body is what we want: 206 the rest, 200 the whole. */
async function answer(transfer: Transfer, request: Request, haveBytes: number): Promise<200 | 206> {
  await once(request, 'response')
  transfer.state.answered = true
  const { statusCode = 0, headers = {} } = request.response ?? {}
  if (statusCode !== 200 && statusCode !== 206) {
    request.destroy()
    // The part does not fit this file any more; the next attempt begins anew.
    if (statusCode === 416) await rm(transfer.part, { force: true })
    throw statusError(transfer, statusCode)
  }
  const totalBytes = announcedBytes(statusCode, headers)
  if (totalBytes !== null && !transfer.expectedBytes.includes(totalBytes)) {
    request.destroy()
    throw wrongSize(transfer, totalBytes)
  }
  // A proxy may answer with another range than was asked for; appended, it would spoil the part.
  if (statusCode === 206 && !headers['content-range']?.startsWith(`bytes ${haveBytes}-`)) {
    request.destroy()
    await rm(transfer.part, { force: true })
    throw failed('the server sent another range than asked', GOES_ON, new Error('wrong range'))
  }
  const { etag } = headers
  transfer.state.etag = etag === undefined || etag.startsWith('W/') ? null : etag
  return statusCode
}

function announcedBytes(statusCode: number, headers: IncomingHttpHeaders): number | null {
  const text =
    statusCode === 206
      ? /\/(\d+)$/.exec(headers['content-range'] ?? '')?.[1]
      : headers['content-length']
  return text === undefined ? null : Number(text)
}

async function save(transfer: Transfer, request: Request, startBytes: number): Promise<void> {
  const largestBytes = Math.max(...transfer.expectedBytes)
  const totalBytes = announcedBytes(
    request.response?.statusCode ?? 0,
    request.response?.headers ?? {},
  )
  let bytes = startBytes
  // `flush` is fsync at the end: the rename that follows must not come to the disk before the bytes.
  const flags = startBytes > 0 ? 'a' : 'w'
  const file = createWriteStream(transfer.part, { flags, flush: true })
  const closed = new Promise<void>((resolve) => {
    file.once('close', resolve)
  })
  const count = async function* count(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of source) {
      bytes += chunk.length
      if (bytes > largestBytes) throw wrongSize(transfer, bytes)
      transfer.onBytes(chunk.length, bytes, totalBytes ?? largestBytes)
      yield chunk
    }
  }
  try {
    await pipeline(request, count, file)
  } finally {
    // A write that is still under way would come after the next attempt has looked at the size.
    await closed
  }
  if (!transfer.expectedBytes.includes(bytes)) {
    throw failed(
      `the connection ended after ${formatBytes(bytes)}`,
      GOES_ON,
      new Error('cut short'),
    )
  }
}

const GOES_ON = 'Run the same command again: it goes on where it stopped'

function statusError(transfer: Transfer, statusCode: number): Oss20bdError {
  const { host, origin, pathname } = new URL(transfer.url)
  const what = `${host} answered ${statusCode} for ${origin}${pathname}`
  if (statusCode === 401 || statusCode === 403) {
    const needed = transfer.token === null ? 'a token is needed' : 'a token with access is needed'
    return failed(`${what}, ${needed}`, 'Set HF_TOKEN to a read token, then run the same command')
  }
  if (statusCode === 404 || statusCode === 410) {
    return failed(
      `${what}, the file must be there`,
      'Check HF_ENDPOINT, or set model.path to a GGUF file',
    )
  }
  const again = statusCode >= 500 || [408, 416, 425, 429].includes(statusCode)
  return again
    ? failed(what, GOES_ON, new Error(`HTTP ${statusCode}`))
    : failed(what, 'Check HF_ENDPOINT and any proxy, then run the same command')
}

function wrongSize(transfer: Transfer, bytes: number): Oss20bdError {
  const expected = transfer.expectedBytes.join(' or ')
  const { host } = new URL(transfer.url)
  return failed(
    `the file at ${host} has ${bytes} bytes, ${expected} are expected`,
    'Check HF_ENDPOINT and any proxy; a newer oss20bd may know a newer file',
  )
}

function asDownloadError(transfer: Transfer, error: unknown): unknown {
  if (error instanceof Oss20bdError) return error
  if (!(error instanceof RequestError)) return fileError('download the model', transfer.part, error)
  // Not the error itself as cause: it holds the request and with it the token.
  return failed(networkWords(transfer, error), NO_NETWORK, new Error(error.message))
}

const NO_NETWORK =
  'Check the network, then run the same command again: it goes on where it stopped; `oss20bd up --test-model` needs no network'

function networkWords(transfer: Transfer, error: RequestError): string {
  const { host } = new URL(transfer.url)
  const errno = errnoOf(error)
  if (errno === 'ENOTFOUND' || errno === 'EAI_AGAIN') {
    return `the address of ${host} is not known here (no network, or no name server)`
  }
  if (errno === 'ECONNREFUSED') return `${host} refuses connections`
  if (errno === 'ETIMEDOUT') return `${host} sent nothing for ${formatDuration(transfer.stallMs)}`
  return `the connection to ${host} broke (${error.message})`
}

function failed(what: string, hint: string, cause?: unknown): Oss20bdError {
  return new Oss20bdError('download-failed', `Cannot download the model: ${what}`, { hint, cause })
}
