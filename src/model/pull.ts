/** Downloads a model: goes on where it stopped, checks every byte, and puts it in place in one step. */
import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Clock } from '../clock.ts'
import { fileError, messageOf, Oss20bdError } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { ExpectedFile } from './catalog.ts'
import {
  FileChangedError,
  keepsChanging,
  wrongContent,
  wrongSize,
} from './download/download-error.ts'
import { assertSpace, SPARE_DISK_BYTES } from './download/disk-space.ts'
import { Download } from './download/download.ts'
import { DEFAULT_LIMITS, type PullLimits } from './download/limits.ts'
import { Network } from './download/network.ts'
import { PartFile } from './download/part-file.ts'
import { lockPart } from './download/pull-lock.ts'
import { RateMeter } from './download/rate-meter.ts'
import { retried } from './download/retried.ts'
import { locate, type RemoteFile } from './download/remote-file.ts'
import { hashFile } from './file-hash.ts'
import { checkModelFile, checkModelStart } from './model-file.ts'
import { readOrigin, removeOrigin, writeOrigin } from './origin.ts'

export interface PullProgress {
  readonly phase: 'downloading' | 'checking'
  /** 0 to 1 within the phase. */
  readonly fraction: number
  /** Bytes of the file that are on disk, or checked. */
  readonly bytes: number
  readonly totalBytes: number
  /** Over the last seconds; 0 while it is not known. */
  readonly bytesPerSecond: number
}

export interface PullOptions {
  readonly url: string
  /** A Hugging Face token; goes only to `tokenOrigin`, never into a log or message. */
  readonly token: string | null
  readonly tokenOrigin: string
  /** The finished file; until then the bytes are in `<destination>.part`. */
  readonly destination: string
  /** The download must be one of these; empty = what the server publishes, else whatever it sends. */
  readonly expected: readonly ExpectedFile[]
  /** What the checksum must be, in lower-case hexadecimal, whatever is published. */
  readonly sha256?: string | null
  /** Called about twice a second. */
  readonly onProgress: (progress: PullProgress) => void
  readonly signal: AbortSignal
  readonly clock: Clock
  readonly log: Pick<Logger, 'info' | 'warn'>
  readonly limits?: Partial<PullLimits>
  /** The free bytes on the disk of a folder. */
  readonly readFreeBytes?: (folder: string) => Promise<number>
}

export interface Pulled {
  readonly kind: 'downloaded' | 'present'
  readonly sizeBytes: number
  readonly sha256: string
  /** Whether somebody published a checksum that it could be held against. */
  readonly checked: 'published' | 'first-use'
  /** What an earlier run had left. */
  readonly resumedBytes: number
}

/** Whoever replaces the file this often while it is downloaded goes on doing so. */
const MAX_CHANGES = 2

/**
 * Resolves once the checked file is at `destination`. What is good of a part stays for the next call, also
 * after an abort. Throws `download-failed`, `disk-full`, `model-unusable`, `already-running`, `state-folder`,
 * and the reason of `signal` when it aborts.
 */
export async function pullModel(options: PullOptions): Promise<Pulled> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  await makeFolder(dirname(options.destination))
  await using _lock = await lockPart(`${options.destination}.part`)
  const { token, tokenOrigin, clock } = options
  using network = new Network({ token, tokenOrigin, stallMs: limits.stallMs, clock })
  return await new Pull(options, limits, network).run()
}

class Pull {
  readonly #options: PullOptions
  readonly #limits: PullLimits
  readonly #network: Network
  readonly #rate = new RateMeter()

  constructor(options: PullOptions, limits: PullLimits, network: Network) {
    this.#options = options
    this.#limits = limits
    this.#network = network
  }

  async run(): Promise<Pulled> {
    const { log } = this.#options
    for (let changes = 0, mismatched = false; ;) {
      const remote = await this.#locate()
      const present = await this.#present(remote)
      if (present !== null) return present
      try {
        const outcome = await this.#download(remote)
        if (outcome.kind !== 'mismatch') return outcome
        // A part left by an earlier run may have been damaged since: once more, from the first byte.
        if (outcome.resumedBytes === 0 || mismatched) throw outcome.error
        mismatched = true
      } catch (error) {
        if (!(error instanceof FileChangedError)) throw error
        changes += 1
        if (changes > MAX_CHANGES) throw keepsChanging(remote.url)
        log.warn('the file has changed on the server, the download begins anew')
      }
    }
  }

  async #locate(): Promise<RemoteFile> {
    const { url, signal, expected } = this.#options
    let answered = false
    const limits = this.#limits
    const find = async (): Promise<RemoteFile> => {
      try {
        return await locate(new URL(url), this.#network, signal)
      } catch (error) {
        // Any status is an answer; without one there is no connection.
        answered ||= error instanceof Oss20bdError && error.cause === undefined
        throw error
      }
    }
    const remote = await retried(find, {
      limits,
      log: this.#options.log,
      network: this.#network,
      signal,
      hasProgress: () => false,
      retries: () => (answered ? limits.retries : limits.retriesWithoutAnswer),
    })
    const sizes = expected.map((file) => file.bytes)
    if (sizes.length > 0 && !sizes.includes(remote.sizeBytes)) {
      throw wrongSize(remote.url, remote.sizeBytes, sizes)
    }
    const wrong = checkModelStart(remote.url.href, remote.start)
    if (wrong !== null)
      throw new Oss20bdError('model-unusable', wrong.message, { hint: wrong.hint })
    const known = expected.find((file) => file.bytes === remote.sizeBytes)?.sha256
    return { ...remote, sha256: this.#options.sha256 ?? known ?? remote.sha256 }
  }

  /** The file that is in place already, when it is the very one that the server has. */
  async #present(remote: RemoteFile): Promise<Pulled | null> {
    const { destination, signal } = this.#options
    const found = await stat(destination).catch(() => null)
    if (found?.size !== remote.sizeBytes || remote.sha256 === null) return null
    const origin = await readOrigin(destination)
    const sha256 =
      origin?.sizeBytes === found.size
        ? origin.sha256
        : await hashFile(destination, found.size, this.#checking(found.size), signal)
    if (sha256 !== remote.sha256 || (await checkModelFile(destination)).kind !== 'ok') return null
    const pulled = { sizeBytes: found.size, sha256, checked: 'published' } as const
    if (origin === null) await this.#note(remote, pulled)
    return { kind: 'present', ...pulled, resumedBytes: 0 }
  }

  async #download(remote: RemoteFile): Promise<Pulled | Mismatch> {
    const { destination, log } = this.#options
    await using part = await PartFile.open(`${destination}.part`, remote)
    const resumedBytes = part.doneBytes
    await this.#assertSpace(part, SPARE_DISK_BYTES)
    const sha256 = await this.#fetch(part, remote)
    if (remote.sha256 !== null && sha256 !== remote.sha256) {
      log.warn('downloaded model has a wrong checksum, removed')
      await part.remove()
      return {
        kind: 'mismatch',
        resumedBytes,
        error: wrongContent(remote.url, remote.sha256, sha256),
      }
    }
    const check = await checkModelFile(part.path)
    if (check.kind !== 'ok') {
      await part.remove()
      const message = check.message.replace(part.path, remote.url.href)
      throw new Oss20bdError('model-unusable', message, { hint: check.hint })
    }
    const checked = remote.sha256 === null ? 'first-use' : 'published'
    const pulled = { sizeBytes: remote.sizeBytes, sha256, checked } as const
    // Wherever a kill comes between these: no note ever speaks of another file than the one in place.
    await removeOrigin(destination)
    await part.moveTo(destination)
    await this.#note(remote, pulled)
    log.info('model downloaded', { bytes: remote.sizeBytes, resumedBytes })
    return { kind: 'downloaded', ...pulled, resumedBytes }
  }

  /** Downloads and hashes; notes what is done and looks at the disk all the while. */
  async #fetch(part: PartFile, remote: RemoteFile): Promise<string> {
    const { signal, log } = this.#options
    const ended = new AbortController()
    const all = AbortSignal.any([signal, ended.signal])
    await using download = new Download({
      network: this.#network,
      part,
      remote,
      limits: this.#limits,
      log,
      signal: all,
      onChange: () => undefined,
    })
    const watching = this.#watch(part, download, ended)
    try {
      return await download.run()
    } finally {
      ended.abort()
      await watching
      this.#tell(part, download)
      // What is whole moves into place; what is not is needed by the next run.
      if (part.doneBytes < part.content.sizeBytes && remote.hasRanges) await this.#save(part)
    }
  }

  /** After a failure, whose reason is the one to tell. */
  async #save(part: PartFile): Promise<void> {
    try {
      await part.save()
    } catch (error) {
      this.#options.log.warn('what is downloaded cannot be noted', { reason: messageOf(error) })
    }
  }

  /** Ends the download with the reason when the disk fills up. Never rejects. */
  async #watch(part: PartFile, download: Download, ended: AbortController): Promise<void> {
    const { clock } = this.#options
    let savedAtMs = clock.monotonicMs()
    try {
      for (;;) {
        this.#tell(part, download)
        await clock.sleep(this.#limits.tickMs, ended.signal)
        await this.#assertSpace(part, SPARE_DISK_BYTES / 2)
        if (clock.monotonicMs() - savedAtMs < this.#limits.saveMs) continue
        await part.save()
        savedAtMs = clock.monotonicMs()
      }
    } catch (error) {
      if (!ended.signal.aborted) ended.abort(error)
    }
  }

  #tell(part: PartFile, download: Download): void {
    const totalBytes = part.content.sizeBytes
    if (part.doneBytes < totalBytes) return this.#report('downloading', part.doneBytes, totalBytes)
    this.#report('checking', download.hashedBytes, totalBytes)
  }

  #checking(totalBytes: number): (bytes: number) => void {
    return (bytes) => this.#report('checking', bytes, totalBytes)
  }

  #report(phase: PullProgress['phase'], bytes: number, totalBytes: number): void {
    const bytesPerSecond = this.#rate.rate(this.#options.clock.monotonicMs(), bytes)
    const fraction = totalBytes === 0 ? 1 : bytes / totalBytes
    this.#options.onProgress({ phase, fraction, bytes, totalBytes, bytesPerSecond })
  }

  #assertSpace(part: PartFile, spareBytes: number): Promise<void> {
    const missingBytes = part.content.sizeBytes - part.doneBytes
    const { readFreeBytes } = this.#options
    return assertSpace(dirname(part.path), missingBytes + spareBytes, readFreeBytes)
  }

  #note(
    remote: RemoteFile,
    pulled: Pick<Pulled, 'sizeBytes' | 'sha256' | 'checked'>,
  ): Promise<void> {
    const { destination, clock } = this.#options
    // An address may carry a signature: only its public part is kept.
    const source = `${remote.url.origin}${remote.url.pathname}`
    const at = new Date(clock.nowMs()).toISOString()
    const { sizeBytes, sha256, checked } = pulled
    return writeOrigin(destination, { source, sizeBytes, sha256, checked, at })
  }
}

interface Mismatch {
  readonly kind: 'mismatch'
  readonly resumedBytes: number
  readonly error: Oss20bdError
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true })
  } catch (error) {
    throw fileError('make the model folder', folder, error)
  }
}
