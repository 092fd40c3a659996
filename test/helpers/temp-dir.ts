/** A folder of one test's own, with a path short enough for sockets; gone when the test ends. */
import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface TempDir extends AsyncDisposable {
  readonly path: string
  /** A path inside the folder. */
  file(...parts: string[]): string
}

/** `await using dir = await tempDir()`. */
export async function tempDir(): Promise<TempDir> {
  // A Mac's own temporary folder has 49 characters already, and a socket path may have 103.
  const base = process.platform === 'darwin' ? '/tmp' : tmpdir()
  const path = await realpath(await mkdtemp(join(base, 'o20-')))
  return {
    path,
    file: (...parts) => join(path, ...parts),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 3 }),
  }
}
