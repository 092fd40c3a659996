/** The SHA-256 of a file, computed in a thread of its own; the file may still be growing. */
/* oxlint-disable unicorn/require-post-message-target-origin -- threads have no origin */
import { Worker } from 'node:worker_threads'

/** The thread is told of so much at once: a message for each write was 2,000 for 2 GB, which the profile showed. */
const ASKED_BYTES = 8 * 2 ** 20

const workerFile = new URL('../../scripts/hash-worker.mjs', import.meta.url)

/** Reads the file once, in order, as far as it is told that it is good. */
export class FileHash implements AsyncDisposable {
  readonly #worker: Worker
  readonly #failed: Promise<never>
  readonly #sha256: Promise<string>
  #hashedBytes = 0
  #goodBytes = 0
  #askedBytes = 0

  constructor(path: string, onHashed: (bytes: number) => void = () => undefined) {
    this.#worker = new Worker(workerFile, { workerData: path })
    this.#failed = new Promise((_resolve, reject) => {
      this.#worker.once('error', reject)
    })
    // Told to whoever waits for the sum; until then nobody may be waiting.
    this.#failed.catch(() => undefined)
    this.#sha256 = new Promise((resolve) => {
      this.#worker.on('message', (message: { hashed: number } | { sha256: string }) => {
        if ('sha256' in message) return resolve(message.sha256)
        this.#hashedBytes = message.hashed
        onHashed(message.hashed)
      })
    })
  }

  get hashedBytes(): number {
    return this.#hashedBytes
  }

  /** All bytes before `bytes` are on disk and stay as they are. Never waits. */
  advance(bytes: number): void {
    this.#goodBytes = Math.max(this.#goodBytes, bytes)
    if (this.#goodBytes - this.#askedBytes >= ASKED_BYTES) this.#ask()
  }

  /** The sum in lower-case hexadecimal of all bytes that were announced; rejects when they cannot be read. */
  async sha256(): Promise<string> {
    this.#ask()
    this.#worker.postMessage({ end: true })
    return Promise.race([this.#sha256, this.#failed])
  }

  #ask(): void {
    this.#askedBytes = this.#goodBytes
    this.#worker.postMessage({ to: this.#goodBytes })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate()
  }
}

/** The SHA-256 of the first `sizeBytes` bytes of a file that does not change. */
export async function hashFile(
  path: string,
  sizeBytes: number,
  onHashed: (bytes: number) => void,
  signal: AbortSignal,
): Promise<string> {
  await using hash = new FileHash(path, onHashed)
  hash.advance(sizeBytes)
  const stopped = new AbortController()
  const aborted = new Promise<never>((_resolve, reject) => {
    const options = { signal: stopped.signal, once: true }
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), options)
  })
  try {
    return await Promise.race([hash.sha256(), aborted])
  } finally {
    stopped.abort()
  }
}
