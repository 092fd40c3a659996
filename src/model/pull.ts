/** Downloads a model: goes on where it stopped, checks every byte, and puts it in place in one step. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, rename, rm, stat, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { pipeline } from 'node:stream/promises'
import pRetry from 'p-retry'
import type { Clock } from '../clock.ts'
import { errnoOf, fileError, Oss20bdError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { formatBytes } from '../units.ts'
import type { ExpectedFile } from './catalog.ts'
import { type Transfer, transferRest } from './transfer.ts'

export interface PullProgress {
  readonly phase: 'downloading' | 'checking'
  /** 0 to 1 within the phase. */
  readonly fraction: number
  /** Bytes of the file that are on disk, or checked. */
  readonly bytes: number
  readonly totalBytes: number
  /** Average since this download went on; 0 at its first moment. */
  readonly bytesPerSecond: number
}

export interface PullOptions {
  readonly url: string
  /** A Hugging Face token; goes only to the host of `url`, never into a log or message. */
  readonly token: string | null
  /** The finished file; until then the bytes are in `<destination>.part`. */
  readonly destination: string
  /** The download must be one of these. */
  readonly expected: readonly ExpectedFile[]
  /** Called for every piece that arrives: throttle what is costly. */
  readonly onProgress: (progress: PullProgress) => void
  readonly signal: AbortSignal
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly log: Pick<Logger, 'info' | 'warn'>
  readonly limits?: Partial<PullLimits>
}

interface PullLimits {
  /** A connection on which nothing arrives for so long is given up and made anew. */
  readonly stallMs: number
  /** Further attempts that may bring nothing new, over the whole download. */
  readonly retries: number
  /** The same while the server has not been reached once, so that "no network" is said soon. */
  readonly retriesWithoutAnswer: number
  readonly firstRetryDelayMs: number
}

const DEFAULT_LIMITS: PullLimits = {
  stallMs: 60_000,
  retries: 10,
  retriesWithoutAnswer: 1,
  firstRetryDelayMs: 1000,
}
/** What an attempt must add to count as progress; without it a server that sends a byte at a time never ends. */
const PROGRESS_BYTES = 2 ** 20
/** Left free on the disk, so that the last byte of the model is not the last of the disk. */
const SPARE_DISK_BYTES = 512 * 2 ** 20

/**
 * Resolves once the checked file is at `destination`. A part stays for the next call, also after an abort.
 * Throws `download-failed`, `disk-full`, `state-folder`, and the reason of `signal` when it aborts.
 */
export async function pullModel(options: PullOptions): Promise<ExpectedFile> {
  const part = `${options.destination}.part`
  await onDisk('make the model folder', part, () =>
    mkdir(dirname(part), { recursive: true }).then(() => undefined),
  )
  const resumedBytes = await sizeOf(part)
  await checkDiskSpace(options, part, resumedBytes)
  const found = (await checkPart(options, part)) ?? (await downloadAndCheck(options, part))
  // A part left by an earlier run may stem from another version of the file: once more, from the start.
  const good = found ?? (resumedBytes > 0 ? await downloadAndCheck(options, part) : null)
  if (good === null) throw wrongContent(options)
  await onDisk('put the model in place', options.destination, () =>
    rename(part, options.destination),
  )
  options.log.info('model downloaded', { bytes: good.bytes, resumedBytes })
  return good
}

async function checkDiskSpace(
  options: PullOptions,
  part: string,
  haveBytes: number,
): Promise<void> {
  const disk = await statfs(dirname(part))
  const freeBytes = disk.bavail * disk.bsize
  const neededBytes = largest(options.expected) - haveBytes + SPARE_DISK_BYTES
  if (freeBytes >= neededBytes) return
  const have = formatBytes(freeBytes)
  throw new Oss20bdError(
    'disk-full',
    `Cannot download the model: ${have} free on the disk of ${dirname(part)}, ${formatBytes(neededBytes)} needed`,
    { hint: 'Free some space, then run the same command again' },
  )
}

async function downloadAndCheck(options: PullOptions, part: string): Promise<ExpectedFile | null> {
  await download(options, part)
  const found = await checkPart(options, part)
  if (found === null) {
    options.log.warn('downloaded model has a wrong checksum, removed')
    await onDisk('remove the bad download', part, () => rm(part, { force: true }))
  }
  return found
}

async function download(options: PullOptions, part: string): Promise<void> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const transfer = newTransfer(options, part, limits.stallMs)
  let bestBytes = await sizeOf(part)
  await pRetry(() => transferRest(transfer), {
    retries: limits.retries,
    minTimeout: limits.firstRetryDelayMs,
    maxTimeout: 30_000,
    signal: options.signal,
    onFailedAttempt: ({ error, attemptNumber }) => {
      options.log.warn('download interrupted', { attemptNumber, reason: error.message })
    },
    shouldConsumeRetry: async () => {
      const bytes = await sizeOf(part)
      if (bytes < bestBytes + PROGRESS_BYTES) return true
      bestBytes = bytes
      return false
    },
    shouldRetry: ({ error, attemptNumber }) =>
      (!(error instanceof Oss20bdError) || isTemporary(error)) &&
      (transfer.state.answered || attemptNumber <= limits.retriesWithoutAnswer),
  })
}

/** transfer.ts marks with a cause what may go better the next time. */
function isTemporary(error: Oss20bdError): boolean {
  return error.code === 'download-failed' && error.cause !== undefined
}

function newTransfer(options: PullOptions, part: string, stallMs: number): Transfer {
  const startedAtMs = options.clock.monotonicMs()
  let arrivedBytes = 0
  return {
    url: options.url,
    token: options.token,
    part,
    stallMs,
    signal: options.signal,
    expectedBytes: options.expected.map((file) => file.bytes),
    state: { answered: false, etag: null },
    onBytes: (newBytes, bytes, totalBytes) => {
      arrivedBytes += newBytes
      const seconds = (options.clock.monotonicMs() - startedAtMs) / 1000
      const bytesPerSecond = seconds > 0 ? arrivedBytes / seconds : 0
      const fraction = bytes / totalBytes
      options.onProgress({ phase: 'downloading', fraction, bytes, totalBytes, bytesPerSecond })
    },
  }
}

/** Which expected file the part is, or `null`; reads it only when its size is right. */
async function checkPart(options: PullOptions, part: string): Promise<ExpectedFile | null> {
  const totalBytes = await sizeOf(part)
  if (!options.expected.some((file) => file.bytes === totalBytes)) return null
  const startedAtMs = options.clock.monotonicMs()
  const hash = createHash('sha256')
  let bytes = 0
  await onDisk('check the download', part, () =>
    pipeline(
      createReadStream(part, { highWaterMark: 2 ** 20, signal: options.signal }),
      async (source: AsyncIterable<Buffer>) => {
        for await (const chunk of source) {
          hash.update(chunk)
          bytes += chunk.length
          const seconds = (options.clock.monotonicMs() - startedAtMs) / 1000
          const bytesPerSecond = seconds > 0 ? bytes / seconds : 0
          const fraction = bytes / totalBytes
          options.onProgress({ phase: 'checking', fraction, bytes, totalBytes, bytesPerSecond })
        }
      },
    ),
  )
  const sha256 = hash.digest('hex')
  return options.expected.find((f) => f.bytes === totalBytes && f.sha256 === sha256) ?? null
}

function wrongContent(options: PullOptions): Oss20bdError {
  return new Oss20bdError(
    'download-failed',
    `Cannot download the model: what came from ${new URL(options.url).host} has another SHA-256 checksum than the published one, it has been removed`,
    { hint: 'Run the same command again; if it happens again, check HF_ENDPOINT and any proxy' },
  )
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 0
    throw fileError('download the model', path, error)
  }
}

async function onDisk(action: string, path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (error instanceof Error && error.name === 'AbortError') throw error
    throw fileError(action, path, error)
  }
}

function largest(expected: readonly ExpectedFile[]): number {
  return Math.max(...expected.map((file) => file.bytes))
}
