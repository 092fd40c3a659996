/** Asks a llama-server binary what it is, without starting an engine. */
import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { errnoOf, messageOf, Oss20bdError } from '../errors.ts'

export interface EngineVersion {
  /** `0.5.0`, `8193`. */
  readonly version: string
  readonly commit: string | null
}

/** What `--version` says, or null when the file does not answer like a llama-server within 10 s. */
export function readEngineVersion(file: string): Promise<EngineVersion | null> {
  // No `LLAMA_ARG_*` of the user: a wrong one would fail it.
  const env = { PATH: process.env['PATH'] ?? '' }
  const options = { env, timeout: 10_000, maxBuffer: 100_000 }
  return new Promise((resolve) => {
    // Not execa: without a file descriptor to spare it would end the daemon (docs/decisions/0002).
    const child = execFile(file, ['--version'], options, (error, stdout, stderr) => {
      resolve(error === null ? parseEngineVersion(`${stderr}\n${stdout}`) : null)
    })
    child.stdin?.end()
  })
}

/** Reads `version: 0.5.0 (build 1, commit de3ff81)` and the older `version: 8193 (ecd99d6a9)`. Pure. */
export function parseEngineVersion(output: string): EngineVersion | null {
  const match = /^version: (\S+)(?: \((?:build \d+, commit )?([^)]*)\))?/m.exec(output)
  if (match?.[1] === undefined) return null
  return { version: match[1], commit: match[2] ?? null }
}

/** Throws `engine-missing` unless `file` is a file that we may execute. */
export async function assertExecutable(file: string): Promise<void> {
  try {
    const found = await stat(file)
    if (!found.isFile()) throw missing(file, 'is not a file')
    await access(file, constants.X_OK)
  } catch (error) {
    if (error instanceof Oss20bdError) throw error
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'ENOTDIR') throw missing(file, 'does not exist')
    if (errno === 'EACCES') throw missing(file, 'is not executable')
    throw missing(file, `cannot be read (${errno ?? messageOf(error)})`)
  }
}

function missing(file: string, what: string): Oss20bdError {
  return new Oss20bdError('engine-missing', `Cannot start llama-server: ${file} ${what}`, {
    hint: 'Run oss20bd build, or set engine.path in the config to an installed llama-server',
  })
}
